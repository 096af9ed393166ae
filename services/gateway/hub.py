"""Hands folded entries to whoever listens: streams, waiting predicts, deliveries. Event loop only."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

from services.gateway.readmodel.entry import Entry

Partition = tuple[str, int]
Listener = Callable[[Entry[Any]], None]


class Subscriber:
    """A bounded queue of entries. When it runs over it is emptied and `lost`: read the log instead."""

    def __init__(self, topics: Iterable[str], limit: int) -> None:
        self.topics = frozenset(topics)
        self.lost = False
        self.ended = False
        self._limit = limit
        self._entries: deque[Entry[Any]] = deque()
        self._ready = asyncio.Event()

    def put(self, entry: Entry[Any]) -> None:
        if self.lost:
            return
        if len(self._entries) >= self._limit:
            self._entries.clear()
            self.lost = True
        else:
            self._entries.append(entry)
        self._ready.set()

    def restart(self) -> None:
        """Empties the queue and takes entries again."""
        self._entries.clear()
        self.lost = False

    def end(self) -> None:
        """Nothing more will come."""
        self.ended = True
        self._ready.set()

    async def take(self) -> list[Entry[Any]]:
        """What has come since; waits for the first. Empty once `lost`, or `ended` and all is taken."""
        while not self._entries and not self.lost and not self.ended:
            self._ready.clear()
            await self._ready.wait()
        taken = list(self._entries)
        self._entries.clear()
        return taken


class Hub:
    """`positions`: for each partition, the offset after the newest entry folded. `ended`: nobody is served any more."""

    def __init__(self) -> None:
        self.ended = False
        self.positions: dict[Partition, int] = {}
        self._subscribers: set[Subscriber] = set()
        self._listeners: dict[str, list[Listener]] = {}

    def listen(self, topic: str, listener: Listener) -> None:
        """Calls `listener` for every entry of `topic` from now on."""
        self._listeners.setdefault(topic, []).append(listener)

    def attach(self, subscriber: Subscriber) -> None:
        self._subscribers.add(subscriber)
        if self.ended:
            subscriber.end()

    def end(self) -> None:
        """Whoever listens by a queue of its own is sent home; each knows where to go on."""
        self.ended = True
        for subscriber in self._subscribers:
            subscriber.end()

    def detach(self, subscriber: Subscriber) -> None:
        self._subscribers.discard(subscriber)

    @property
    def subscribers(self) -> int:
        """How many listen by a queue of their own."""
        return len(self._subscribers)

    def begin(self, positions: Mapping[Partition, int]) -> None:
        """Where the follower starts, before it has read anything."""
        for partition, offset in positions.items():
            self.positions.setdefault(partition, offset)

    def publish(self, topic: str, entries: Sequence[Entry[Any]]) -> None:
        """Entries of one topic that the read models have just folded, in log order."""
        interested = [s for s in self._subscribers if topic in s.topics]
        listeners = self._listeners.get(topic, ())
        for entry in entries:
            self.positions[topic, entry.partition] = entry.offset + 1
            for subscriber in interested:
                subscriber.put(entry)
            for listener in listeners:
                listener(entry)
