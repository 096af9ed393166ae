"""What the views hold, kept beside the log with the place it was folded up to: a start reads on from there.

The log stays the truth: without a snapshot, or with one that is damaged, of another form or of another
log, everything is read from the log anew. What it costs to start is bounded by what the views hold, not by
how long the log has grown.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Protocol

import msgspec
import structlog

from services.gateway.follower import Folded, MarksAt, Partition
from services.gateway.readmodel.entry import Entry, entry_of
from services.gateway.service import SECTIONS, Held
from shared.bus.base import Record
from shared.clock import utc_now
from shared.codec import encode
from shared.errors import Poison
from shared.state import Snapshot, Snapshots
from shared.topics import BY_NAME

log = structlog.get_logger("gateway.keeping")

TASK = "gateway"
"""What the snapshot is called beside those of other tasks."""

FORM = 5
"""Raised when a view comes to hold what it did not: a snapshot of an earlier form lacks that."""

Row = tuple[int, int, int, bytes]
"""Partition, offset, the broker's time in milliseconds, and the message as on the topic."""


class _Form(msgspec.Struct, frozen=True):
    form: int


class _Body(msgspec.Struct, frozen=True):
    form: int
    rows: dict[str, list[Row]]
    index: list[tuple[int, int]]
    marks: list[tuple[str, int, bytes]]


class Views(Protocol):
    """The read models, from another thread. Both return once it is done."""

    def held(self) -> Held: ...

    def take_over(self, held: Held) -> None: ...


class Keeper:
    """One gateway's snapshot. `snapshots` is asked for once the cluster's name is known."""

    def __init__(self, snapshots: Callable[[], Snapshots], views: Views) -> None:
        self._open = snapshots
        self._views = views
        self._snapshots: Snapshots | None = None

    def restore(self, ends: Mapping[Partition, int], marks_at: MarksAt) -> Folded:
        """Fills the views from the snapshot, where there is a good one; returns up to where it has folded the log.

        A snapshot that is ahead of the log's own `ends`, or whose last records are not where they were, is of another
        log. `Transient` where Kafka is away.
        """
        self._snapshots = self._snapshots or self._open()
        snapshot = self._snapshots.load(TASK)
        if snapshot is None:
            return Folded()
        positions = {(topic, partition): offset for topic, partition, offset in snapshot.positions}
        try:
            body = _body(snapshot.state)
            folded = Folded(positions, {(topic, partition): mark for topic, partition, mark in body.marks})
            _of_this_log(folded, ends, marks_at)
            held = _unpacked(body)
        except (Poison, msgspec.DecodeError) as error:
            log.warning("the snapshot of the views is not used; the log is read from its begin", why=str(error))
            return Folded()
        self._views.take_over(held)
        return folded

    def save(self, folded: Folded) -> None:
        """Keeps what the views hold, folded up to there. Never raises for a full disk."""
        if self._snapshots is None:
            return
        marks = [(topic, partition, mark) for (topic, partition), mark in sorted(folded.marks.items())]
        positions = [(topic, partition, offset) for (topic, partition), offset in sorted(folded.positions.items())]
        self._snapshots.save(
            Snapshot(
                task=TASK,
                step=sum(folded.positions.values()),
                now=utc_now(),
                positions=tuple(positions),
                ended_jobs=(),
                journal_from=0,
                state=_packed(self._views.held(), marks),
            )
        )


def _of_this_log(folded: Folded, ends: Mapping[Partition, int], marks_at: MarksAt) -> None:
    """`Poison` where this log holds something else where it was folded. What retention has dropped tells nothing."""
    if any(offset > ends.get(place, 0) for place, offset in folded.positions.items()):
        raise Poison("it is ahead of the log")
    for place, found in marks_at({place: folded.positions[place] - 1 for place in folded.marks}).items():
        if found != folded.marks[place]:
            raise Poison(
                f"it is of another log: {place[0]}[{place[1]}] at {folded.positions[place] - 1} is another record"
            )


def _packed(held: Held, marks: list[tuple[str, int, bytes]]) -> bytes:
    rows = {section: [_row(entry) for entry in entries] for section, entries in held.entries.items()}
    return msgspec.msgpack.encode(_Body(FORM, rows, held.index, marks))


def _body(state: bytes) -> _Body:
    form = msgspec.msgpack.decode(state, type=_Form).form
    if form != FORM:
        raise Poison(f"its form is {form}, this program's is {FORM}")
    body = msgspec.msgpack.decode(state, type=_Body)
    if body.rows.keys() != SECTIONS.keys():
        raise Poison(f"it holds {', '.join(sorted(body.rows))}, this program {', '.join(sorted(SECTIONS))}")
    return body


def _unpacked(body: _Body) -> Held:
    known: dict[tuple[str, int, int], Entry[Any]] = {}

    def entry(section: str, row: Row) -> Entry[Any]:
        place = (SECTIONS[section], row[0], row[1])  # what ledger and incidents both hold is held once
        if place not in known:
            known[place] = _entry(section, row)
        return known[place]

    return Held({section: [entry(section, row) for row in rows] for section, rows in body.rows.items()}, body.index)


def _row(entry: Entry[Any]) -> Row:
    return entry.partition, entry.offset, round(entry.at.timestamp() * 1000), encode(entry.message)


def _entry(section: str, row: Row) -> Entry[Any]:
    partition, offset, at, value = row
    topic = BY_NAME[SECTIONS[section]]
    return entry_of(topic, Record(topic.name, partition, offset, None, value, (), at))
