"""Reading committed records by address."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import suppress
from functools import cached_property
from typing import Protocol

from confluent_kafka import Consumer, IsolationLevel, KafkaException, TopicPartition
from confluent_kafka.admin import OffsetSpec  # type: ignore[attr-defined]

from shared.bus.base import FETCH_WAIT_MS, RANGE_FETCH_WAIT_MS, REQUEST_SECONDS, Record
from shared.bus.librdkafka.clients import Clients, drain
from shared.clock import monotonic
from shared.errors import Transient

_EARLIEST = OffsetSpec.earliest()  # type: ignore[no-untyped-call]
_LATEST = OffsetSpec.latest()  # type: ignore[no-untyped-call]


class Offsets(Protocol):
    """Asks the cluster for one offset per partition."""

    def offsets(self, topic: str, spec: OffsetSpec, isolation: IsolationLevel) -> dict[int, int]: ...


class LibrdkafkaReader:
    """Two consumers without a group, made when needed: one that reads ranges, one that follows."""

    def __init__(self, offsets: Offsets, clients: Clients, client_id: str) -> None:
        self._offsets = offsets
        self._clients = clients
        self._client_id = client_id
        self._open: list[Consumer] = []
        self._reached: dict[tuple[str, int], int] = {}
        self._known: set[str] = set()

    def begin_offsets(self, topic: str) -> dict[int, int]:
        return self._offsets.offsets(topic, _EARLIEST, IsolationLevel.READ_COMMITTED)

    def end_offsets(self, topic: str) -> dict[int, int]:
        return self._offsets.offsets(topic, _LATEST, IsolationLevel.READ_COMMITTED)

    def written_offsets(self, topic: str) -> dict[int, int]:
        return self._offsets.offsets(topic, _LATEST, IsolationLevel.READ_UNCOMMITTED)

    def read(self, topic: str, partition: int, start: int, stop: int, timeout: float = 30.0) -> Iterator[list[Record]]:
        position, deadline = start, monotonic() + timeout
        if position >= stop:
            return
        self._know(topic, timeout)
        self._ranges.assign([TopicPartition(topic, partition, start)])
        try:
            while position < stop:
                records, ends = drain(self._ranges, 1000, min(1.0, timeout), until_end=True)
                reached = max(position, ends.get((topic, partition), 0), records[-1].offset + 1 if records else 0)
                if reached > position:
                    position, deadline = reached, monotonic() + timeout
                wanted = [record for record in records if record.offset < stop]
                if wanted:
                    yield wanted
                elif position < stop and monotonic() > deadline:
                    raise Transient(f"{topic}[{partition}] stands at {position}, before {stop}, for {timeout:g} s")
        finally:
            self._ranges.unassign()

    def follow(self, positions: Mapping[tuple[str, int], int]) -> None:
        self._following.assign([TopicPartition(topic, at, offset) for (topic, at), offset in positions.items()])
        self._reached = dict(positions)

    def poll(self, max_records: int, timeout: float) -> list[Record]:
        records, ends = drain(self._following, max_records, timeout)
        for record in records:
            self._reached[record.topic, record.partition] = record.offset + 1
        for at, end in ends.items():
            self._reached[at] = max(end, self._reached.get(at, 0))
        return records

    def reached(self) -> dict[tuple[str, int], int]:
        return dict(self._reached)

    def close(self) -> None:
        for consumer in self._open:
            consumer.close()
        self._open.clear()

    def _know(self, topic: str, timeout: float) -> None:
        """A consumer that has read one topic looks for another's leader only at the next full second, unless asked."""
        if topic not in self._known:
            with suppress(KafkaException):  # then the read itself waits for the broker
                self._ranges.list_topics(topic, timeout=min(timeout, REQUEST_SECONDS))
            self._known.add(topic)

    @cached_property
    def _ranges(self) -> Consumer:
        return self._consumer(RANGE_FETCH_WAIT_MS)

    @cached_property
    def _following(self) -> Consumer:
        return self._consumer(FETCH_WAIT_MS)

    def _consumer(self, fetch_wait_ms: int) -> Consumer:
        # librdkafka asks for a group's name even where there is none; nothing is ever committed to it.
        consumer = Consumer(self._clients.consuming(self._client_id, f"{self._client_id}.reader", fetch_wait_ms))
        self._open.append(consumer)
        return consumer
