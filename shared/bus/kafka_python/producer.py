"""Writing outside transactions."""

from __future__ import annotations

from collections.abc import Sequence

from kafka import KafkaProducer
from kafka.errors import KafkaError, UnknownTopicOrPartitionError

from shared.bus.base import REQUEST_SECONDS, NewRecord, Position, refuse_too_large
from shared.bus.kafka_python.clients import Clients
from shared.clock import monotonic
from shared.errors import Misconfigured, Transient


class KafkaPythonProducer:
    """One producer for all threads."""

    def __init__(self, clients: Clients, client_id: str) -> None:
        self._limits = clients.limits
        try:
            self._producer = KafkaProducer(**clients.producing(client_id))
        except KafkaError as error:
            raise Transient(f"no Kafka broker answers: {type(error).__name__}: {error}") from error

    def send(self, records: Sequence[NewRecord], timeout: float) -> list[Position]:
        refuse_too_large(records, self._limits)
        deadline = monotonic() + timeout
        try:
            futures = [
                self._producer.send(one.topic, one.value, one.key, list(one.headers), one.partition) for one in records
            ]
            written = [future.get(timeout=max(0.0, deadline - monotonic())) for future in futures]
        except UnknownTopicOrPartitionError as error:
            raise Misconfigured(f"a record's topic does not exist: {error}") from error
        except KafkaError as error:
            raise Transient(f"records not confirmed by Kafka: {type(error).__name__}: {error}") from error
        return [Position(one.topic, one.partition, one.offset) for one in written]

    def close(self) -> None:
        self._producer.close(timeout=REQUEST_SECONDS)
