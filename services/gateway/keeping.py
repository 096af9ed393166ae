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

from services.gateway.follower import KEPT, Partition
from services.gateway.readmodel.entry import Entry, entry_of
from services.gateway.service import SECTIONS, Held
from shared.bus.base import Record
from shared.clock import utc_now
from shared.codec import encode
from shared.errors import Poison
from shared.state import Snapshot, Snapshots
from shared.topics import BY_NAME

log = structlog.get_logger("gateway.keeping")

FORM = 2
"""Raised when a view comes to hold what it did not: a snapshot of an earlier form lacks that."""

Row = tuple[int, int, int, bytes]
"""Partition, offset, the broker's time in milliseconds, and the message as on the topic."""


class _Body(msgspec.Struct, frozen=True):
    form: int
    rows: dict[str, list[Row]]
    index: list[tuple[int, int]]


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

    def restore(self, ends: Mapping[Partition, int]) -> dict[Partition, int]:
        """Fills the views from the snapshot, where there is a good one; returns up to where it has folded the log.

        `ends` are the log's own: a snapshot that is ahead of them is of another log. `Transient` where Kafka is away.
        """
        self._snapshots = self._snapshots or self._open()
        snapshot = self._snapshots.load("gateway")
        if snapshot is None:
            return {}
        positions = {(topic, partition): offset for topic, partition, offset in snapshot.positions}
        try:
            if any(offset > ends.get(place, 0) for place, offset in positions.items()):
                raise Poison("it is ahead of the log")
            held = _unpacked(snapshot.state)
        except (Poison, msgspec.DecodeError) as error:
            log.warning("the snapshot of the views is not used; the log is read from its begin", why=str(error))
            return {}
        self._views.take_over(held)
        return positions

    def save(self, positions: Mapping[Partition, int]) -> None:
        """Keeps what the views hold; `positions` say up to where they have folded. Never raises for a full disk."""
        if self._snapshots is None:
            return
        kept = {place: offset for place, offset in positions.items() if place[0] in KEPT}
        self._snapshots.save(
            Snapshot(
                task="gateway",
                step=sum(kept.values()),
                now=utc_now(),
                positions=tuple((topic, partition, offset) for (topic, partition), offset in sorted(kept.items())),
                ended_jobs=(),
                journal_from=0,
                state=_packed(self._views.held()),
            )
        )


def _packed(held: Held) -> bytes:
    rows = {section: [_row(entry) for entry in entries] for section, entries in held.entries.items()}
    return msgspec.msgpack.encode(_Body(FORM, rows, held.index))


def _unpacked(state: bytes) -> Held:
    body = msgspec.msgpack.decode(state, type=_Body)
    if body.form != FORM or body.rows.keys() != SECTIONS.keys():
        raise Poison(f"its form is {body.form}, this program's is {FORM}")
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
