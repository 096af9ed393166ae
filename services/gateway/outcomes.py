"""What became of rows that were accepted: told by the log itself, by the features, labels and dead letters they became.

A row is decided once the journal says that ingest's task has gone past it. One that is decided and became nothing was
a repetition.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Literal

from services.gateway.backlog import Backlog
from shared.messages import DeadLetter
from shared.topics import DEAD_LETTERS, FEATURES, LABELS, PIPELINES, RAW_DATA, STEPS

Kind = Literal["events", "labels"]

MOST_STEPS = 20_000
SKEW_MS = 5_000
"""How far the clocks of those who write may be apart."""


class RowGoneError(Exception):
    """There is no row at this place, partition and offset of `raw-data`, or none any more."""

    def __init__(self, partition: int, offset: int) -> None:
        super().__init__(f"raw-data/{partition}@{offset}")


@dataclass(frozen=True, slots=True)
class Outcomes:
    """`ids` are those of the rows that were taken. `refused` are dead letters."""

    pending: int = 0
    ids: tuple[str, ...] = ()
    repeated: int = 0
    refused: tuple[DeadLetter, ...] = ()


@dataclass(slots=True)
class Progress:
    """How far each task of ingest has come, by (partition, topic); what was long ago is not known."""

    until: dict[tuple[int, str], int] = field(default_factory=dict)
    _next: int | None = None

    def read_on(self, log: Backlog) -> None:
        """Takes in the steps since the last call; at first the newest `MOST_STEPS`."""
        end = log.end(STEPS)
        start = max(0, end - MOST_STEPS) if self._next is None else self._next
        for step in log.following(STEPS, 0, start):
            service, _, partition = step.task.partition("/")
            if service == "ingest":
                self.until.update({(int(partition), topic): until for topic, _, _, until in step.inputs})
        self._next = end

    def decided(self, partition: int, pipelines: int) -> int:
        """The offset of `raw-data` before which all is decided. Rows wait for the first `pipelines` definitions."""
        if self.until.get((partition, PIPELINES.name), 0) < pipelines:
            return 0
        return self.until.get((partition, RAW_DATA.name), 0)


def outcomes_of(
    log: Backlog, progress: Progress, pipeline: str, kind: Kind, rows: Mapping[int, set[int]], *, young: bool
) -> Outcomes:
    """What the rows at these offsets of `raw-data`, by partition, have become by now.

    `young`: the pipeline was defined just now, so that its rows may wait for its definition. `RowGoneError` where a
    partition's first row is gone from the log; `Transient` where the log could not be read in time.
    """
    progress.read_on(log)
    definitions = log.end(PIPELINES) if young else 0
    taken: list[str] = []
    refused: list[DeadLetter] = []
    pending = repeated = 0
    for partition, offsets in rows.items():
        until = progress.decided(partition, definitions)
        left = {offset for offset in offsets if offset < until}
        pending += len(offsets) - len(left)
        if not left:
            continue
        sent = log.time_at(RAW_DATA, (partition, min(offsets)))
        if sent is None:
            raise RowGoneError(partition, min(offsets))
        taken += _taken(log, pipeline, kind, partition, left, sent - SKEW_MS)
        refused += _refused(log, partition, left, sent - SKEW_MS)
        repeated += len(left)
    return Outcomes(pending, tuple(taken), repeated, tuple(refused))


def _taken(log: Backlog, pipeline: str, kind: Kind, partition: int, left: set[int], since_ms: int) -> Iterator[str]:
    """The ids of those of `left` that were taken, which leave it. A partition's rows go on in their order."""
    last = max(left)
    for message in log.since(FEATURES if kind == "events" else LABELS, partition, since_ms):
        if message.origin[0] != partition or message.pipeline != pipeline:
            continue
        if message.origin[1] in left:
            left.remove(message.origin[1])
            yield message.id
        if not left or message.origin[1] > last:
            return


def _refused(log: Backlog, partition: int, left: set[int], since_ms: int) -> Iterator[DeadLetter]:
    """The letters of those of `left` that were refused, which leave it."""
    letters = log.since(DEAD_LETTERS, 0, since_ms) if left else iter(())
    for letter in letters:
        if letter.topic == RAW_DATA.name and letter.partition == partition and letter.offset in left:
            left.remove(letter.offset)
            yield letter
            if not left:
                return
