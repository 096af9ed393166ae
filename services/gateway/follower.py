"""Follows every topic the gateway reads, in a thread of its own, and hands entries to the event loop.

It follows all of them at once: control topics from their begin, data topics from their newest records.
It is ready when it has reached where they ended at the start. When Kafka goes away it goes on from
where it was, with back-off.
"""

from __future__ import annotations

import heapq
import threading
from collections.abc import Callable, Iterable, Mapping, Sequence
from itertools import groupby
from types import MappingProxyType
from typing import Any, NamedTuple, Protocol

import structlog
from tenacity import wait_exponential_jitter

from services.gateway.marks import mark_of, marks_at
from services.gateway.readmodel.entry import Entry, entry_of
from services.gateway.service import SECTIONS
from shared.bus.base import Bus, LogReader, Position, Record
from shared.clock import monotonic
from shared.errors import HomeostatError, Poison
from shared.topics import Topic, topics_read_by

log = structlog.get_logger("gateway.follower")

RECENT_ONLY = ("predictions", "dead-letters", "telemetry")
HELD = frozenset(SECTIONS.values())
"""Topics of which a snapshot holds anything: their records make the next one due."""

KEPT = HELD - set(RECENT_ONLY)
"""Those that are read on from where they were folded up to; of the others the newest records are read again."""

TOLD = ("alerts", "audit", "commands")
"""Topics of which people are told, by the subscriptions and on the dashboard."""

SAVE_EVERY, SAVE_EVERY_BEHIND = 2000, 50_000
"""Records of these topics between two savings: what is read again, at the most, after a crash."""

CHECK_SECONDS = 5.0
IDLE_SECONDS, BEHIND_SECONDS = 0.25, 0.05
"""How long to wait for records. While there is something to catch up with, short: its end comes without a record."""

MOST = 1000

Partition = tuple[str, int]

MarksAt = Callable[[Mapping[Partition, int]], Mapping[Partition, bytes]]
"""The log's own marks of the records at these offsets, as `marks.marks_at` gives them."""


class Folded(NamedTuple):
    """Up to where the topics `KEPT` are folded (the next offset), and the mark of the last record of each partition."""

    positions: Mapping[Partition, int] = MappingProxyType({})
    marks: Mapping[Partition, bytes] = MappingProxyType({})


class Sink(Protocol):
    """Where entries go. Both are called in the follower's thread and return once it is done."""

    def begin(self, positions: Mapping[Partition, int]) -> None:
        """Following starts here; no entry before these offsets will come."""
        ...

    def fold(self, topic: str, entries: Sequence[Entry[Any]]) -> None:
        """The next entries of one topic, in log order."""
        ...


class Keep(Protocol):
    """What is kept of the folded entries from one start to the next. Both are called in the follower's thread."""

    def restore(self, ends: Mapping[Partition, int], marks_at: MarksAt) -> Folded:
        """Fills the views; returns up to where they are folded, nothing where nothing is kept of this log."""
        ...

    def save(self, folded: Folded) -> None:
        """Keeps what is folded up to there."""
        ...


class Follower:
    """`ready` is set once everything that was there at the start is folded; `problem` says why Kafka
    cannot be reached, or is None. `lag` counts records not folded yet, as of the last check.
    """

    def __init__(
        self, bus: Bus, full_name: Callable[[str], str], sink: Sink, keep: Keep | None = None, *, recent: int = 5000
    ) -> None:
        self.ready = threading.Event()
        self.problem: str | None = "not connected yet"
        self.lag: dict[str, int] = {}
        self.positions: dict[Partition, int] = {}
        self._bus = bus
        self._sink = sink
        self._keep = keep
        self._unsaved = 0
        self._marks: dict[Partition, bytes] = {}
        self._recent = recent
        self._topics: dict[str, Topic[Any]] = {full_name(t.name): t for t in topics_read_by("gateway")}
        self._stop = threading.Event()
        self._moved = threading.Condition()
        self._thread = threading.Thread(target=self._run, name="gateway-follower", daemon=True)

    def start(self) -> None:
        self._thread.start()

    def stop(self) -> None:
        """Ends the following; what is folded is kept for the next start."""
        self._stop.set()
        self._thread.join(timeout=10)

    def wait_for(self, positions: Iterable[Position], timeout: float) -> bool:
        """Whether these records (full topic names) are folded, at the latest after `timeout` seconds."""
        wanted = [(self._topics[p.topic].name, p.partition, p.offset) for p in positions if p.topic in self._topics]
        with self._moved:
            return self._moved.wait_for(
                lambda: all(self.positions.get((topic, partition), 0) > offset for topic, partition, offset in wanted),
                timeout,
            )

    def _run(self) -> None:
        pause = wait_exponential_jitter(multiplier=0.2, max=10)
        attempt = _Attempt()
        while not self._stop.is_set():
            try:
                self._follow(attempt)
            except Exception as error:  # noqa: BLE001 - ended in silence, this thread would leave every answer stale
                self.problem = str(error) if isinstance(error, HomeostatError) else f"{type(error).__name__}: {error}"
                attempt.attempt_number += 1
                log.warning("the log is not followed; trying again", why=self.problem, attempt=attempt.attempt_number)
                self._stop.wait(pause(attempt))  # type: ignore[arg-type]

    def _follow(self, attempt: _Attempt) -> None:
        reader = self._bus.reader("gateway-follower")
        try:
            ahead = self._begin(reader)
            self.problem, checked = None, monotonic()
            while not self._stop.is_set():
                records = reader.poll(MOST, BEHIND_SECONDS if ahead else IDLE_SECONDS)
                self._take(records)
                self._save(SAVE_EVERY_BEHIND if ahead else SAVE_EVERY)
                if ahead and not (ahead := _not_reached(ahead, reader)):
                    attempt.attempt_number = 0
                    self.ready.set()
                if monotonic() - checked > CHECK_SECONDS:
                    checked = monotonic()
                    self._measure(reader)
        finally:
            reader.close()
        self._save(1)

    def _save(self, least: int) -> None:
        """Where at least so many records have come since the last time; what failed is read from the log again."""
        if self._keep is not None and self._unsaved >= least:
            self._unsaved = 0
            kept = {place: offset for place, offset in self.positions.items() if place[0] in KEPT}
            self._keep.save(Folded(kept, dict(self._marks)))

    def _begin(self, reader: LogReader) -> dict[Partition, int]:
        """Follows all partitions at once; returns their ends as of now, by full topic name.

        One after the other they take a second each: so long a client needs to turn to a topic it does not know.
        """
        ends = {(name, p): end for name in self._topics for p, end in reader.end_offsets(name).items()}
        if self._keep is not None and not self.positions:
            plain_ends = {(self._topics[name].name, p): end for (name, p), end in ends.items()}
            known = self._keep.restore(plain_ends, lambda offsets: self._marks_at(reader, offsets))
            self.positions.update(known.positions)
            self._marks.update(known.marks)
        starts = {place: self._start(reader, *place, end) for place, end in ends.items()}
        self._sink.begin({(self._topics[name].name, p): start for (name, p), start in starts.items()})
        reader.follow(starts)
        return ends

    def _marks_at(self, reader: LogReader, offsets: Mapping[Partition, int]) -> dict[Partition, bytes]:
        full = {topic.name: name for name, topic in self._topics.items()}
        asked = {(full[topic], partition): offset for (topic, partition), offset in offsets.items()}
        found = marks_at(reader, asked, stopped=self._stop.is_set)
        return {(self._topics[name].name, partition): mark for (name, partition), mark in found.items()}

    def _start(self, reader: LogReader, name: str, partition: int, end: int) -> int:
        topic, begins = self._topics[name].name, reader.begin_offsets(name)
        known = self.positions.get((topic, partition))
        if known is None and topic in RECENT_ONLY:
            known = end - self._recent // len(begins)
        return max(begins[partition], min(known or 0, end))

    def _take(self, records: Sequence[Record]) -> None:
        for name, group in groupby(self._in_time(records), key=lambda record: record.topic):
            topic = self._topics[name]
            entries = [entry for record in group if (entry := self._decoded(topic, record)) is not None]
            if entries:
                self._sink.fold(topic.name, entries)
        last: dict[Partition, Record] = {}
        for record in records:
            topic_name = self._topics[record.topic].name
            self._advance(topic_name, record.partition, record.offset + 1)
            self._unsaved += topic_name in HELD
            if topic_name in KEPT:
                last[topic_name, record.partition] = record
        self._marks.update((place, mark_of(record)) for place, record in last.items())

    def _in_time(self, records: Sequence[Record]) -> list[Record]:
        """`records`, those that people are told of last and by the broker's time: a client gives them topic by topic,
        and what was ordered first must not be heard of after how it ended. The order of a partition stays.
        """
        told: dict[Partition, list[Record]] = {}
        others = []
        for record in records:
            if self._topics[record.topic].name in TOLD:
                told.setdefault((record.topic, record.partition), []).append(record)
            else:
                others.append(record)
        return [*others, *heapq.merge(*told.values(), key=lambda record: record.timestamp_ms)]

    def _decoded(self, topic: Topic[Any], record: Record) -> Entry[Any] | None:
        try:
            return entry_of(topic, record)
        except Poison as error:
            log.warning("skipped", topic=topic.name, offset=record.offset, error=error.detail)
            return None

    def _advance(self, topic: str, partition: int, offset: int) -> None:
        with self._moved:
            self.positions[topic, partition] = max(offset, self.positions.get((topic, partition), 0))
            self._moved.notify_all()

    def _measure(self, reader: LogReader) -> None:
        """Lag per topic, and proof that Kafka answers."""
        reached = reader.reached()
        for name, topic in self._topics.items():
            ends = reader.end_offsets(name)
            self.lag[topic.name] = sum(max(0, end - reached.get((name, p), 0)) for p, end in ends.items())


def _not_reached(ends: Mapping[Partition, int], reader: LogReader) -> dict[Partition, int]:
    reached = reader.reached()
    return {place: end for place, end in ends.items() if reached.get(place, 0) < end}


class _Attempt:
    """What tenacity's waits read: how many times it failed in a row."""

    attempt_number = 0
