"""What became of rows that were accepted: told by the log itself, by the features, labels and dead letters they became.

A row is decided once ingest's group has committed an offset past it. One that is decided and became nothing was a
repetition.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

from services.gateway.backlog import Backlog
from shared.messages import DeadLetter
from shared.topics import DEAD_LETTERS, FEATURES, LABELS, PIPELINES, RAW_DATA, STEPS

Kind = Literal["events", "labels"]

SKEW_MS = 5_000
"""How far the clocks of those who write may be apart."""

HELD_MS = 15_000
"""How long after rows that came later a row may be decided: ingest holds rows of a pipeline it does not know yet."""


class RowGoneError(Exception):
    """The pipeline has no row at this place, partition and offset of `raw-data`, or has none any more."""

    def __init__(self, partition: int, offset: int) -> None:
        super().__init__(f"{RAW_DATA.name}/{partition}@{offset}")


class OtherKindError(Exception):
    """The row at this place is a label where events are asked for, or the other way about."""

    def __init__(self, partition: int, offset: int, kind: Kind) -> None:
        super().__init__(f"{RAW_DATA.name}/{partition}@{offset}")
        self.kind = kind


@dataclass(frozen=True, slots=True)
class Rows:
    """Rows of one partition of `raw-data`: their offsets, and when the first of them was written, ms since 1970."""

    partition: int
    offsets: frozenset[int]
    since_ms: int


@dataclass(frozen=True, slots=True)
class Outcomes:
    """`ids` are those of the rows that were taken. `refused` are dead letters."""

    pending: int = 0
    ids: tuple[str, ...] = ()
    repeated: int = 0
    refused: tuple[DeadLetter, ...] = ()


def rows_at(log: Backlog, pipeline: str, kind: Kind, places: Mapping[int, set[int]]) -> list[Rows]:
    """The rows at these offsets, by partition, read to see that each is one of the pipeline's and of this kind.

    `RowGoneError` where one is not the pipeline's or is not there, `OtherKindError` where one is of the other kind.
    """
    found = []
    for partition, offsets in places.items():
        seen: set[int] = set()
        since = 0
        for offset, time_ms, row in log.found(RAW_DATA, partition, offsets):
            if row.pipeline != pipeline:
                raise RowGoneError(partition, offset)
            if row.kind + "s" != kind:
                raise OtherKindError(partition, offset, "labels" if kind == "events" else "events")
            since = since if seen else time_ms
            seen.add(offset)
        if gone := offsets - seen:
            raise RowGoneError(partition, min(gone))
        found.append(Rows(partition, frozenset(offsets), since))
    return found


def outcomes_of(log: Backlog, pipeline: str, kind: Kind, rows: Sequence[Rows], defined_ms: int | None) -> Outcomes:
    """What the rows have become by now.

    `defined_ms`: when the pipeline was defined, if that is so short ago that its rows may wait for it, else None.
    `Transient` where the log could not be read in time.
    """
    decided = _decided(log, defined_ms)
    ids: list[str] = []
    left: dict[int, set[int]] = {}
    until_ms: list[float] = []
    for part in rows:
        open_rows = {offset for offset in part.offsets if offset < decided.get(part.partition, 0)}
        if open_rows:
            left[part.partition] = open_rows
            found, until = _taken(log, pipeline, kind, part, open_rows)
            ids += found
            until_ms += [until] if open_rows else []
    refused: list[DeadLetter] = []
    if any(left.values()):
        since_ms = min(part.since_ms for part in rows) - SKEW_MS
        refused = list(_refused(log, pipeline, left, since_ms, max(until_ms)))
    repeated = sum(map(len, left.values()))
    known = len(ids) + len(refused) + repeated
    return Outcomes(sum(len(part.offsets) for part in rows) - known, tuple(ids), repeated, tuple(refused))


def _decided(log: Backlog, defined_ms: int | None) -> dict[int, int]:
    """By partition, the offset of `raw-data` before which all is decided."""
    taken = log.committed("ingest", RAW_DATA)
    if defined_ms is None:
        return taken
    knowing = _knowing(log, defined_ms)
    return {partition: offset for partition, offset in taken.items() if partition in knowing}


def _knowing(log: Backlog, since_ms: int) -> set[int]:
    """The partitions whose task of ingest has read every definition there is. Told by the journal."""
    definitions, found = log.end(PIPELINES), set()
    for _, step in log.since(STEPS, 0, since_ms - SKEW_MS):
        service, _, partition = step.task.partition("/")
        if service == "ingest" and any(i[0] == PIPELINES.name and i[3] >= definitions for i in step.inputs):
            found.add(int(partition))
    return found


def _taken(log: Backlog, pipeline: str, kind: Kind, rows: Rows, left: set[int]) -> tuple[list[str], float]:
    """The ids of those of `left` that were taken, which leave it; and when all of the rows were decided, at the latest.

    Rows go on in their order, but for those that ingest holds: nothing is looked for once these are over too.
    """
    last, until_ms = max(left), float("inf")
    ids: list[str] = []
    for time_ms, message in log.since(
        FEATURES if kind == "events" else LABELS, rows.partition, rows.since_ms - SKEW_MS
    ):
        if time_ms > until_ms or not left:
            break
        partition, offset = message.origin
        if partition == rows.partition and offset > last:
            until_ms = min(until_ms, time_ms + HELD_MS)
        elif partition == rows.partition and offset in left and message.pipeline == pipeline:
            left.remove(offset)
            ids.append(message.id)
    return ids, until_ms


def _refused(
    log: Backlog, pipeline: str, left: Mapping[int, set[int]], since_ms: int, until_ms: float
) -> Iterator[DeadLetter]:
    """The pipeline's letters of those of `left`, by partition, that were refused, which leave it."""
    for time_ms, letter in log.since(DEAD_LETTERS, 0, since_ms):
        if time_ms > until_ms + SKEW_MS or not any(left.values()):
            return
        rows = left.get(letter.partition, set())
        if letter.topic == RAW_DATA.name and letter.pipeline in (pipeline, None) and letter.offset in rows:
            rows.remove(letter.offset)
            yield letter
