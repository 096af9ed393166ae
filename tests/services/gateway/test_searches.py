"""Long reading of the log: bounded in number and in time, and in nobody's way."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from itertools import count

import pytest

from services.gateway.backlog import Backlog
from services.gateway.outcomes import HELD_MS, Rows, outcomes_of
from services.gateway.searches import MOST_OPEN, THREADS, Searches
from shared import codec
from shared.bus.base import NewRecord, Record, TopicSpec
from shared.bus.memory import MemoryBus, MemoryReader
from shared.clock import monotonic, utc_now
from shared.errors import Overloaded, Transient
from shared.messages import Features
from shared.topics import DEAD_LETTERS, FEATURES, RAW_DATA, group_of

PARTITIONS = 4
LATER = Features(
    pipeline="other", id="x", entity="x", source="s", at=utc_now(), values={}, raw={}, origin=(0, 7), definition="d"
)


def test_no_more_questions_are_open_than_may_be_and_an_ended_one_makes_room() -> None:
    searches = Searches()
    with ExitStack() as some:
        for _ in range(MOST_OPEN - 1):
            some.enter_context(searches.one())
        with searches.one(), pytest.raises(Overloaded), searches.one():
            raise AssertionError
        with searches.one():
            return
    raise AssertionError


def test_what_writes_never_waits_for_what_is_searched() -> None:
    async def both() -> str:
        searches, go_on = Searches(), threading.Event()
        searching = [asyncio.create_task(searches.run(go_on.wait)) for _ in range(50 * THREADS)]
        await asyncio.sleep(0)
        try:
            return await asyncio.to_thread(lambda: "written")
        finally:
            go_on.set()
            await asyncio.gather(*searching)
            searches.close()

    assert asyncio.run(both()) == "written"


class EndlessReader(MemoryReader):
    def read(self, topic: str, partition: int, start: int, stop: int, timeout: float = 30.0) -> Iterator[list[Record]]:
        while True:
            yield [Record(topic, partition, start, b"", b"")]


def test_reading_ends_in_time_though_records_never_do() -> None:
    bus = new_bus()
    bus.readers = EndlessReader
    write(bus, FEATURES.name, b"{}")
    log = Backlog(bus, str, monotonic() + 0.05)

    with pytest.raises(Transient, match="not read back in time"):
        list(log.since(FEATURES, 0, 0))


class CountingReader(MemoryReader):
    taken: dict[tuple[str, int], int] = {}  # noqa: RUF012 - what all readers of one test took

    def read(self, topic: str, partition: int, start: int, stop: int, timeout: float = 30.0) -> Iterator[list[Record]]:
        for records in super().read(topic, partition, start, stop, timeout):
            self.taken[topic, partition] = self.taken.get((topic, partition), 0) + len(records)
            yield records


def test_what_came_long_after_the_rows_is_not_read_be_it_of_another_pipeline() -> None:
    bus = new_bus()
    write(bus, FEATURES.name, *[codec.encode(LATER)] * 45_000, every_ms=HELD_MS // 100)
    decided(bus, {0: 8})
    counting(bus)

    found = outcomes_of(Backlog(bus, str, monotonic() + 20), "elec2", "events", [Rows(0, frozenset({3}), 0)], None)

    assert (found.repeated, found.pending) == (1, 0)
    assert CountingReader.taken[FEATURES.name, 0] < 25_000


def test_dead_letters_are_read_once_for_rows_of_all_partitions() -> None:
    bus = new_bus()
    write(bus, DEAD_LETTERS.name, *[b"no letter"] * 100)
    rows = [Rows(partition, frozenset({0}), 0) for partition in range(PARTITIONS)]
    decided(bus, dict.fromkeys(range(PARTITIONS), 1))
    counting(bus)

    found = outcomes_of(Backlog(bus, str, monotonic() + 20), "elec2", "events", rows, None)

    assert (found.repeated, CountingReader.taken[DEAD_LETTERS.name, 0]) == (PARTITIONS, 100)


def new_bus() -> MemoryBus:
    bus = MemoryBus()
    topics = (FEATURES, RAW_DATA, DEAD_LETTERS)
    bus.ensure_topics([TopicSpec(topic.name, PARTITIONS if topic.spread else 1, 1, {}) for topic in topics], 1)
    return bus


def write(bus: MemoryBus, topic: str, *values: bytes, every_ms: int = 0) -> None:
    times = count(0, every_ms)
    bus.clock_ms = lambda: next(times)
    bus.producer("test").send([NewRecord(topic, b"", value, (), 0) for value in values], 5)


class Anyone:
    def assigned(self, partitions: Sequence[tuple[str, int]]) -> None:
        """Whatever it is."""

    def revoked(self, partitions: Sequence[tuple[str, int]]) -> None:
        """Whatever it is."""


def decided(bus: MemoryBus, until: dict[int, int]) -> None:
    """Ingest's group has committed these offsets."""
    ingest = bus.transaction(group_of("ingest"), "slot", "client")
    ingest.subscribe([RAW_DATA.name], Anyone())
    ingest.poll(1, 0)
    ingest.commit([], {(RAW_DATA.name, at): offset for at, offset in until.items()})


def counting(bus: MemoryBus) -> None:
    CountingReader.taken = {}
    bus.readers = CountingReader
