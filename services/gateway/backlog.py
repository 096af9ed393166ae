"""Committed messages read back from the log: by their place, or the newest ones by key and id."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from typing import Any

from services.gateway.readmodel.predictions import Place
from shared.bus.base import Bus, LogReader, Record
from shared.bus.partitioner import partition_of
from shared.clock import monotonic
from shared.codec import decode
from shared.errors import Poison, Transient
from shared.messages import RawRecord
from shared.topics import FEATURES, Topic, group_of

SEARCHED = 200_000
BLOCK = 20_000
TAIL = 2_000
APART = 200
"""Records closer together than this are read in one go."""

SEARCH_TO = 2_000
"""A time is looked for to within so many records."""


class Backlog:
    """Reads until `deadline` (monotonic seconds); `Transient` where that is not enough. Close it.

    `written`: reads all that is written, and waits for transactions that are open; else what is committed.
    Each topic has a reader of its own: one that turns to a topic it does not know yet takes a second.
    """

    def __init__(self, bus: Bus, full_name: Callable[[str], str], deadline: float, *, written: bool = False) -> None:
        self._bus = bus
        self._written = written
        self._readers: dict[str, LogReader] = {}
        self._full_name = full_name
        self._deadline = deadline
        self._ranges: dict[str, tuple[dict[int, int], dict[int, int]]] = {}

    def close(self) -> None:
        for reader in self._readers.values():
            reader.close()

    def at(self, topic: Topic[Any], places: Iterable[Place]) -> Iterator[Any]:
        """The messages at these places, as far as the log still has them."""
        wanted: defaultdict[int, set[int]] = defaultdict(set)
        for partition, offset in places:
            wanted[partition].add(offset)
        for partition, offsets in wanted.items():
            for start, stop in runs_of(offsets):
                for record in self._read(topic, partition, start, stop):
                    if record.offset in offsets:
                        yield from _decoded(topic, record)

    def renew(self) -> None:
        """From here on the log ends where it ends now."""
        self._ranges.clear()

    def end(self, topic: Topic[Any], partition: int = 0) -> int:
        """The offset after the last record."""
        return self._range(self._full_name(topic.name))[1][partition]

    def committed(self, service: str, topic: Topic[Any]) -> dict[int, int]:
        """By partition of `topic`, the offset before which the service has taken everything, once it has begun."""
        name = self._full_name(topic.name)
        found = self._bus.committed(self._full_name(group_of(service))).items()
        return {partition: offset for (of, partition), offset in found if of == name}

    def found(self, topic: Topic[Any], partition: int, offsets: Collection[int]) -> Iterator[tuple[int, int, Any]]:
        """Offset, time (ms since 1970) and message at these offsets, in order, as far as the log has them."""
        for start, stop in runs_of(offsets):
            for record in self._read(topic, partition, start, stop):
                if record.offset in offsets:
                    yield from ((record.offset, record.timestamp_ms, one) for one in _decoded(topic, record))

    def since(self, topic: Topic[Any], partition: int, time_ms: int) -> Iterator[tuple[int, Any]]:
        """A partition's messages in order, each with its time, from `time_ms` on or a little before."""
        begins, ends = self._range(self._full_name(topic.name))
        low, high = begins[partition], ends[partition]
        while high - low > SEARCH_TO:
            middle = (low + high) // 2
            found = list(self._read(topic, partition, middle, middle + APART))
            low, high = (middle, high) if found and found[0].timestamp_ms < time_ms else (low, middle)
        for start in range(low, ends[partition], BLOCK):
            for record in list(self._read(topic, partition, start, min(start + BLOCK, ends[partition]))):
                yield from ((record.timestamp_ms, one) for one in _decoded(topic, record))

    def newest(self, topic: Topic[Any], asked: Mapping[str, RawRecord]) -> dict[str, Any]:
        """By id, the newest message for each of these rows among the last `SEARCHED` of its partition."""
        _, ends = self._range(self._full_name(topic.name))
        wanted: defaultdict[int, dict[str, RawRecord]] = defaultdict(dict)
        for event, record in asked.items():
            wanted[partition_of(record.entity.encode(), len(ends))][event] = record
        found: dict[str, Any] = {}
        for partition, rows in wanted.items():
            found |= self._backward(topic, partition, ends[partition], rows)
        return found

    def passed_over(self, rows: Mapping[str, Place]) -> set[str]:
        """Ids of raw rows, given by their places, that ingest has gone past and given no features.

        Told by the newest `TAIL` features of the partition: they have the rows before and after, and none
        of the id. A row at the end of a partition is not told.
        """
        _, ends = self._range(self._full_name(FEATURES.name))
        gone: set[str] = set()
        for partition in {partition for partition, _ in rows.values()}:
            records = self._read(FEATURES, partition, max(0, ends[partition] - TAIL), ends[partition])
            tail = [features for record in records for features in _decoded(FEATURES, record)]
            known, taken = {one.id for one in tail}, sorted(one.origin for one in tail)
            gone |= {e for e, at in rows.items() if e not in known and taken and taken[0] < at < taken[-1]}
        return gone

    def _backward(self, topic: Topic[Any], partition: int, end: int, rows: Mapping[str, RawRecord]) -> dict[str, Any]:
        keys = {record.entity.encode() for record in rows.values()}
        found: dict[str, Any] = {}
        for stop in range(end, max(0, end - SEARCHED), -BLOCK):
            block: dict[str, Any] = {}
            for record in self._read(topic, partition, max(0, stop - BLOCK), stop):
                if record.key in keys:
                    block |= {m.id: m for m in _decoded(topic, record) if _is_of(m, rows)}
            found = block | found
            if len(found) == len(rows):
                break
        return found

    def _read(self, topic: Topic[Any], partition: int, start: int, stop: int) -> Iterator[Record]:
        name = self._full_name(topic.name)
        begins, ends = self._range(name)
        start, stop = max(start, begins.get(partition, stop)), min(stop, ends.get(partition, start))
        if start >= stop:
            return
        for records in self._readers[name].read(name, partition, start, stop, self._left(name, partition)):
            self._left(name, partition)
            yield from records

    def _left(self, name: str, partition: int) -> float:
        left = self._deadline - monotonic()
        if left <= 0:
            raise Transient(f"{name}[{partition}] was not read back in time")
        return left

    def _range(self, name: str) -> tuple[dict[int, int], dict[int, int]]:
        """By partition, the first offset and the one after the last, as of the first question."""
        if name not in self._ranges:
            reader = self._readers.setdefault(name, self._bus.reader("gateway-backlog"))
            ends = reader.written_offsets(name) if self._written else reader.end_offsets(name)
            self._ranges[name] = reader.begin_offsets(name), ends
        return self._ranges[name]


def runs_of(offsets: Collection[int]) -> list[tuple[int, int]]:
    """Ranges that hold all of `offsets`, one for those that are near each other.

    >>> runs_of([7, 5, 5000])
    [(5, 8), (5000, 5001)]
    """
    runs: list[tuple[int, int]] = []
    for offset in sorted(offsets):
        if runs and offset - runs[-1][1] < APART:
            runs[-1] = (runs[-1][0], offset + 1)
        else:
            runs.append((offset, offset + 1))
    return runs


def _is_of(message: Any, rows: Mapping[str, RawRecord]) -> bool:
    return message.id in rows and rows[message.id].pipeline == message.pipeline


def _decoded(topic: Topic[Any], record: Record) -> Iterator[Any]:
    try:
        yield decode(topic, record.value)
    except Poison:
        return
