"""The log that training reads, over rows kept as columns: records are written out when somebody reads them."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

from shared.bus.base import Record
from shared.bus.memory import MemoryBus
from shared.codec import encode
from shared.topics import FEATURES, LABELS

Messages = Callable[[int, int], Sequence[Any]]
"""Messages [start, stop) of one run of the log, made on demand."""


class Runs:
    """One topic with one partition: runs of messages, one after another, without a gap."""

    def __init__(self) -> None:
        self.end = 0
        self._starts: list[int] = []
        self._made: list[Messages] = []

    def add(self, count: int, made: Messages) -> int:
        """Appends `count` messages; returns the first one's offset."""
        start = self.end
        if count:
            self._starts.append(start)
            self._made.append(made)
            self.end += count
        return start

    def messages(self, start: int, stop: int) -> Iterator[tuple[int, Any]]:
        """(offset, message) of start <= offset < stop."""
        stop = min(stop, self.end)
        run = max(0, bisect_right(self._starts, start) - 1)
        while start < stop:
            begin = self._starts[run]
            until = self._starts[run + 1] if run + 1 < len(self._starts) else self.end
            last = min(stop, until)
            yield from enumerate(self._made[run](start - begin, last - begin), start)
            start, run = last, run + 1


class ColumnBus(MemoryBus):
    """A cluster of which only `features` and `labels` can be read: all that a job asks for."""

    def __init__(self) -> None:
        super().__init__()
        self.features, self.labels = Runs(), Runs()

    def reader(self, client_id: str) -> Any:
        return _Reader({FEATURES.name: self.features, LABELS.name: self.labels})


class _Reader:
    """A `LogReader` of what jobs use."""

    def __init__(self, topics: Mapping[str, Runs]) -> None:
        self._topics = topics

    def begin_offsets(self, topic: str) -> dict[int, int]:
        return {0: 0}

    def end_offsets(self, topic: str) -> dict[int, int]:
        return {0: self._topics[topic].end}

    def read(self, topic: str, partition: int, start: int, stop: int, timeout: float = 30.0) -> Iterator[list[Record]]:
        yield [
            Record(topic, partition, offset, None, encode(message))
            for offset, message in self._topics[topic].messages(start, stop)
        ]

    def close(self) -> None:
        """Nothing is held."""
