"""Reading committed records by address."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from functools import cached_property
from typing import Protocol

from kafka import IsolationLevel, KafkaConsumer, OffsetSpec, TopicPartition

from shared.bus.base import FETCH_WAIT_MS, RANGE_FETCH_WAIT_MS, Record
from shared.bus.kafka_python.clients import Clients, drain
from shared.clock import monotonic
from shared.errors import Transient


class Offsets(Protocol):
    """Asks the cluster for one offset per partition."""

    def offsets(self, topic: str, spec: OffsetSpec, isolation: IsolationLevel) -> dict[int, int]: ...


class KafkaPythonReader:
    """Two consumers without a group, made when needed: one that reads ranges, one that follows."""

    def __init__(self, offsets: Offsets, clients: Clients, client_id: str) -> None:
        self._offsets = offsets
        self._clients = clients
        self._client_id = client_id
        self._open: list[KafkaConsumer] = []

    def begin_offsets(self, topic: str) -> dict[int, int]:
        return self._offsets.offsets(topic, OffsetSpec.EARLIEST, IsolationLevel.READ_COMMITTED)

    def end_offsets(self, topic: str) -> dict[int, int]:
        return self._offsets.offsets(topic, OffsetSpec.LATEST, IsolationLevel.READ_COMMITTED)

    def written_offsets(self, topic: str) -> dict[int, int]:
        return self._offsets.offsets(topic, OffsetSpec.LATEST, IsolationLevel.READ_UNCOMMITTED)

    def read(self, topic: str, partition: int, start: int, stop: int, timeout: float = 30.0) -> Iterator[list[Record]]:
        position, deadline = start, monotonic() + timeout
        if position >= stop:
            return
        at = TopicPartition(topic, partition)
        self._ranges.assign([at])
        self._ranges.seek(at, start)
        while position < stop:
            records = drain(self._ranges, 1000, min(0.2, timeout))
            reached = max(position, self._ranges.position(at, timeout_ms=int(timeout * 1000)) or 0)
            if reached > position:
                position, deadline = reached, monotonic() + timeout
            wanted = [record for record in records if record.offset < stop]
            if wanted:
                yield wanted
            elif position < stop and monotonic() > deadline:
                raise Transient(f"{topic}[{partition}] stands at {position}, before {stop}, for {timeout:g} s")

    def follow(self, positions: Mapping[tuple[str, int], int]) -> None:
        places = {TopicPartition(*at): offset for at, offset in positions.items()}
        self._following.assign(list(places))
        for at, offset in places.items():
            self._following.seek(at, offset)

    def poll(self, max_records: int, timeout: float) -> list[Record]:
        return drain(self._following, max_records, timeout)

    def reached(self) -> dict[tuple[str, int], int]:
        following = self._following
        return {(at.topic, at.partition): following.position(at) or 0 for at in following.assignment()}

    def close(self) -> None:
        for consumer in self._open:
            consumer.close()
        self._open.clear()

    @cached_property
    def _ranges(self) -> KafkaConsumer:
        return self._consumer(RANGE_FETCH_WAIT_MS)

    @cached_property
    def _following(self) -> KafkaConsumer:
        return self._consumer(FETCH_WAIT_MS)

    def _consumer(self, fetch_wait_ms: int) -> KafkaConsumer:
        consumer = KafkaConsumer(**self._clients.consuming(self._client_id, fetch_wait_ms))
        self._open.append(consumer)
        return consumer
