"""What rows from a file are called, and what became of them once they were accepted."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

from homeostat.client import Client, Run
from shared.errors import HomeostatError
from shared.messages.data import FILE_SOURCE

FOLLOW_SECONDS = 10.0
"""How long a command waits, in all, for the last of its rows to be decided."""

ASKED_AT_ONCE = 50_000
RUNS_AT_ONCE = 5_000
SHOWN = 5
_LONGEST_SOURCE = 200

Kind = Literal["events", "labels"]


def source_of(file: str) -> str:
    """The source of a file's rows: what is wrong with one file is then held against that file alone.

    >>> source_of("data/march.csv"), source_of("-")
    ('file:march.csv', 'stdin')
    """
    return "stdin" if file == "-" else (FILE_SOURCE + Path(file).name)[:_LONGEST_SOURCE]


@dataclass(slots=True)
class Fate:
    """What became of accepted rows, in numbers. `unasked`: why the gateway could not say it of all of them."""

    taken: int = 0
    repeated: int = 0
    pending: int = 0
    refused: Counter[str] = field(default_factory=Counter)
    examples: list[dict[str, Any]] = field(default_factory=list)
    without_event: int = 0
    ids_without_event: list[str] = field(default_factory=list)
    unasked: str = ""

    def add(self, answer: dict[str, Any]) -> None:
        """Adds what the gateway says of some of the rows."""
        self.taken += answer["taken"]
        self.repeated += answer["repeated"]
        self.pending += answer["pending"]
        self.refused.update(answer["refused"])
        self.examples += answer["examples"]
        lost = answer.get("without_event", {"rows": 0, "ids": []})
        self.without_event += lost["rows"]
        self.ids_without_event += lost["ids"]

    def plain(self) -> dict[str, Any]:
        """For programs. Rows that are still pending may yet become anything."""
        known = {name: getattr(self, name) for name in ("taken", "repeated", "pending", "without_event", "unasked")}
        return known | {"refused": dict(self.refused), "examples": self.examples[:SHOWN]}


def followed(client: Client, pipeline: str, kind: Kind, written: Sequence[Run]) -> Fate:
    """Asks what became of the rows at these places, and waits for those that are not decided yet, with a bound.

    Never fails: the rows are accepted, whatever becomes of the question.
    """
    fate, deadline = Fate(), time.monotonic() + FOLLOW_SECONDS
    for part in _parts(written):
        try:
            fate.add(client.outcomes(pipeline, kind, part, max(0.0, deadline - time.monotonic())))
        except HomeostatError as error:
            fate.unasked = str(error)
            break
    return fate


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
        names = ", ".join(fate.ids_without_event[:SHOWN]) + (", …" if fate.without_event > SHOWN else "")
        count = "1 label has" if fate.without_event == 1 else f"{fate.without_event} labels have"
        yield f"{count} no event yet ({names}) and will count once it is there: is the id right?"
    if fate.unasked:
        yield f"what became of the accepted rows cannot be told: {fate.unasked}"


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
