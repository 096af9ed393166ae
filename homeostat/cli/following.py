"""What rows from a file are called, and what became of them once they were accepted."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

from homeostat.client import Client
from homeostat.tally import Run, Tally, joined
from shared.errors import HomeostatError, Overloaded
from shared.messages.data import FILE_SOURCE, LONGEST_SOURCE

FOLLOW_SECONDS = 10.0
"""How long a command waits, in all, for the last of its rows to be decided; then no more is asked."""

ASKED_AT_ONCE = 50_000
RUNS_AT_ONCE = 5_000
SHOWN = 5

Kind = Literal["events", "labels"]

TOO_MANY = "they are too many to ask about at once; homeostat status shows how far ingest is"
_NUMBERS = ("taken", "repeated", "pending", "without_event", "unasked", "why")


def source_of(file: str) -> str:
    """The source of a file's rows: what is wrong with one file is then held against that file alone.

    >>> source_of("data/march.csv"), source_of("-")
    ('file:march.csv', 'stdin')
    """
    return "stdin" if file == "-" else (FILE_SOURCE + Path(file).name)[:LONGEST_SOURCE]


@dataclass(slots=True)
class Fate:
    """What became of accepted rows, in numbers. Of `unasked` rows the gateway did not say it, because of `why`.

    `events_known`: among so many answers the gateway looked for the labels' events; `all_known`: there are no others.
    """

    taken: int = 0
    repeated: int = 0
    pending: int = 0
    refused: Counter[str] = field(default_factory=Counter)
    examples: list[dict[str, Any]] = field(default_factory=list)
    without_event: int = 0
    ids_without_event: list[str] = field(default_factory=list)
    events_known: int = 0
    all_known: bool = True
    unasked: int = 0
    why: str = ""

    def add(self, answer: dict[str, Any]) -> None:
        """Adds what the gateway says of some of the rows."""
        self.taken += answer["taken"]
        self.repeated += answer["repeated"]
        self.pending += answer["pending"]
        self.refused.update(answer["refused"])
        self.examples += answer["examples"]
        if lost := answer.get("without_event"):
            self.without_event += lost["rows"]
            self.ids_without_event += lost["ids"]
            self.events_known = lost["events_known"]
            self.all_known = self.all_known and lost["all_known"]

    def plain(self) -> dict[str, Any]:
        """For programs. Rows that are still pending may yet become anything."""
        known = {name: getattr(self, name) for name in _NUMBERS}
        return known | {"refused": dict(self.refused), "examples": self.examples[:SHOWN]}


def followed(client: Client, pipeline: str, kind: Kind, sent: Tally, seconds: float = FOLLOW_SECONDS) -> Fate:
    """Asks what became of the accepted rows, and waits for those that are not decided yet, with a bound.

    Never fails: the rows are accepted, whatever becomes of the question. After `seconds` no other question begins.
    """
    fate, deadline = Fate(), time.monotonic() + seconds
    for number, part in enumerate(_parts(joined(sent.written))):
        if number and not fate.why and time.monotonic() >= deadline:
            fate.why = TOO_MANY
        if not fate.why:
            try:
                fate.add(_asked(client, pipeline, kind, part, deadline))
                continue
            except HomeostatError as error:
                fate.why = str(error)
        fate.unasked += sum(last - first + 1 for _, first, last in part)
    if sent.unkept:
        fate.unasked, fate.why = fate.unasked + sent.unkept, fate.why or TOO_MANY
    return fate


def _asked(client: Client, pipeline: str, kind: Kind, part: Sequence[Run], deadline: float) -> dict[str, Any]:
    """Asked again, as the gateway says, where it has too many questions, while there is time."""
    while True:
        left = deadline - time.monotonic()
        try:
            return client.outcomes(pipeline, kind, part, max(0.0, left))
        except Overloaded as busy:
            if busy.retry_after_seconds >= left:
                raise
            time.sleep(busy.retry_after_seconds)


def told(fate: Fate, kind: Kind) -> Iterator[str]:
    """The same for people, a line each; nothing where every row is new and was taken."""
    refused = sum(fate.refused.values())
    if fate.repeated or refused or fate.pending:
        parts = [f"{fate.taken} taken"]
        parts += [f"{fate.repeated} repeated (same id and values as before: counted once)"] if fate.repeated else []
        parts += [f"{refused} refused ({_reasons(fate.refused)})"] if refused else []
        parts += [f"{fate.pending} not decided yet: homeostat status shows how far ingest is"] if fate.pending else []
        yield "of these " + ", ".join(parts)
    for letter in fate.examples[:SHOWN]:
        yield f"  {letter['id']}: {letter['detail']}"
    if refused:
        yield "  all of them: homeostat tail dead-letters --from-start"
    if kind == "labels" and fate.without_event:
        yield _without_event(fate)
    if fate.unasked:
        count = "1 accepted row" if fate.unasked == 1 else f"{fate.unasked} accepted rows"
        yield f"what became of {count} cannot be told: {fate.why}"


def _without_event(fate: Fate) -> str:
    names = ", ".join(fate.ids_without_event[:SHOWN]) + (", …" if fate.without_event > SHOWN else "")
    one = fate.without_event == 1
    if fate.all_known:
        count = "1 label has" if one else f"{fate.without_event} labels have"
        return f"{count} no event yet ({names}) and will count once it is there: is the id right?"
    count = "1 label is" if one else f"{fate.without_event} labels are"
    its = "it counts if its event is" if one else "they count if their events are"
    return f"{count} of no event among the newest {fate.events_known} answers ({names}): {its} older or still to come"


def _reasons(refused: Counter[str]) -> str:
    return ", ".join(f"{count} {reason}" for reason, count in refused.most_common())


def _parts(runs: Sequence[Run]) -> Iterator[list[Run]]:
    """The runs, cut so that no question is about too many rows."""
    part: list[Run] = []
    rows = 0
    for partition, first, last in runs:
        for start in range(first, last + 1, ASKED_AT_ONCE):
            run = (partition, start, min(last, start + ASKED_AT_ONCE - 1))
            if part and (rows + run[2] - run[1] + 1 > ASKED_AT_ONCE or len(part) == RUNS_AT_ONCE):
                yield part
                part, rows = [], 0
            part.append(run)
            rows += run[2] - run[1] + 1
    if part:
        yield part
