"""A stream of selected entries that can be left and taken up again without a gap or a repeat.

The place in a stream is a `Vector`: the next offset of each partition it reads. A reader that is
behind, because it resumes or because it is slow, is served from the log; one that keeps up, from
memory. What it holds is bounded either way.
"""

from __future__ import annotations

import asyncio
import heapq
from collections.abc import AsyncIterator, Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from itertools import islice
from typing import Any

from services.gateway.hub import Hub, Partition, Subscriber
from services.gateway.readmodel.entry import Entry, entry_of
from shared.bus.base import Bus, LogReader
from shared.errors import Poison
from shared.topics import BY_NAME

Vector = dict[Partition, int]
CHUNK = 200
READERS_AT_ONCE = 4


def text_of(vector: Mapping[Partition, int]) -> str:
    """The vector as an event id.

    >>> text_of({("alerts", 0): 7, ("audit", 0): 3})
    'alerts/0:7,audit/0:3'
    """
    return ",".join(f"{topic}/{partition}:{offset}" for (topic, partition), offset in sorted(vector.items()))


def vector_of(text: str) -> Vector:
    """The vector that `text_of` wrote; ValueError where it is not one.

    >>> vector_of("alerts/0:7")
    {('alerts', 0): 7}
    """
    found: Vector = {}
    for part in text.split(","):
        place, _, offset = part.partition(":")
        topic, _, partition = place.partition("/")
        if topic not in BY_NAME or not partition.isascii() or not partition.isdigit() or not offset.isdigit():
            raise ValueError(f"{text!r} is not an id of this stream: it reads as alerts/0:17,audit/0:4")
        found[topic, int(partition)] = int(offset)
    return found


class LogStreams:
    """Makes streams over one hub and one bus."""

    def __init__(self, hub: Hub, bus: Bus, full_name: Callable[[str], str], *, buffer: int) -> None:
        self._hub = hub
        self._bus = bus
        self._full_name = full_name
        self._buffer = buffer
        self._readers = asyncio.Semaphore(READERS_AT_ONCE)

    def now(self, topics: tuple[str, ...]) -> Vector:
        """The place after everything folded so far."""
        return {place: offset for place, offset in self._hub.positions.items() if place[0] in topics}

    async def entries(
        self, topics: tuple[str, ...], after: Mapping[Partition, int] | None, wanted: Callable[[Entry[Any]], bool]
    ) -> AsyncIterator[tuple[Entry[Any], Vector]]:
        """The wanted entries from `after` (None: from now) on, each with the place after it. Ends with the hub."""
        subscriber = Subscriber(topics, self._buffer)
        self._hub.attach(subscriber)
        vector = self.now(topics)
        vector.update((place, offset) for place, offset in (after or {}).items() if place[0] in topics)
        try:
            while True:
                subscriber.restart()
                for entries in (self._gap(vector), self._live(subscriber)):
                    async for entry in entries:
                        place = (entry.topic, entry.partition)
                        if entry.offset < vector.get(place, 0):
                            continue
                        vector[place] = entry.offset + 1
                        if wanted(entry):
                            yield entry, dict(vector)
                        if subscriber.ended:
                            return
                if subscriber.ended:
                    return
        finally:
            self._hub.detach(subscriber)

    async def _live(self, subscriber: Subscriber) -> AsyncIterator[Entry[Any]]:
        while not subscriber.lost and not subscriber.ended:
            for entry in await subscriber.take():
                yield entry

    async def _gap(self, vector: Mapping[Partition, int]) -> AsyncIterator[Entry[Any]]:
        """From the log: what lies between the vector and what the hub has already handed on."""
        gaps = {
            place: (offset, self._hub.positions[place])
            for place, offset in vector.items()
            if offset < self._hub.positions.get(place, 0)
        }
        if not gaps:
            return
        async with self._readers:
            # A reader belongs to one thread. What a client that has gone still reads there ends before the close.
            thread = ThreadPoolExecutor(1, "gateway-stream")
            opened = thread.submit(self._bus.reader, "gateway-stream")
            try:
                records = self._merged(await asyncio.wrap_future(opened), gaps)
                while chunk := await asyncio.wrap_future(thread.submit(lambda: list(islice(records, CHUNK)))):
                    for entry in chunk:
                        yield entry
            finally:
                thread.submit(lambda: opened.result().close())
                thread.shutdown(wait=False)

    def _merged(self, reader: LogReader, gaps: Mapping[Partition, tuple[int, int]]) -> Iterator[Entry[Any]]:
        """All partitions, merged by the broker's time."""
        parts = [self._partition(reader, *place, *gap) for place, gap in sorted(gaps.items())]
        return heapq.merge(*parts, key=lambda entry: entry.at)

    def _partition(self, reader: LogReader, topic: str, partition: int, start: int, stop: int) -> Iterator[Entry[Any]]:
        """In pieces, each read whole: one reader serves all partitions in turn."""
        name = self._full_name(topic)
        start = max(start, reader.begin_offsets(name).get(partition, 0))
        while start < stop:
            until = min(start + CHUNK, stop)
            for records in list(reader.read(name, partition, start, until)):
                for record in records:
                    try:
                        yield entry_of(BY_NAME[topic], record)
                    except Poison:
                        continue
            start = until
