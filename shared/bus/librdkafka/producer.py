"""Writing outside transactions."""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from itertools import count
from typing import NoReturn

from confluent_kafka import KafkaError, KafkaException, Message, Producer

from shared.bus.base import REQUEST_SECONDS, NewRecord, Position, refuse_too_large
from shared.bus.librdkafka.clients import Clients, produce
from shared.clock import monotonic
from shared.errors import Misconfigured, Poison, Transient


class LibrdkafkaProducer:
    """One producer for all threads."""

    def __init__(self, clients: Clients, client_id: str) -> None:
        self._clients = clients
        self._client_id = client_id
        self._producer = Producer(clients.producing(client_id))
        self._replacing = threading.Lock()

    def send(self, records: Sequence[NewRecord], timeout: float) -> list[Position]:
        refuse_too_large(records, self._clients.limits)
        producer, deadline = self._producer, monotonic() + timeout
        positions: list[Position | None] = [None] * len(records)
        failures: list[KafkaError] = []
        waiting = [len(records)]

        def told(index: int) -> Callable[[KafkaError | None, Message], None]:
            def on_delivery(error: KafkaError | None, message: Message) -> None:
                waiting[0] -= 1
                if error is not None:
                    failures.append(error)
                else:
                    positions[index] = Position(records[index].topic, message.partition() or 0, message.offset() or 0)

            return on_delivery

        try:
            produce(producer, records, deadline, map(told, count()))
        except KafkaException as error:
            self._react(producer, error.args[0])
        while waiting[0] > 0 and monotonic() < deadline:
            producer.poll(min(0.05, max(0.0, deadline - monotonic())))
        if failures:
            self._react(producer, failures[0])
        if waiting[0] > 0:
            raise Transient(f"{waiting[0]} of {len(records)} records not confirmed by Kafka within {timeout:g} s")
        return [position for position in positions if position is not None]

    def close(self) -> None:
        self._producer.flush(REQUEST_SECONDS)

    def _react(self, producer: Producer, error: KafkaError) -> NoReturn:
        if error.code() == KafkaError.MSG_SIZE_TOO_LARGE:
            raise Poison(f"a record is larger than its topic takes: {error.str()}", reason="too-large")
        if error.code() == KafkaError._UNKNOWN_TOPIC or error.code() == KafkaError.UNKNOWN_TOPIC_OR_PART:
            raise Misconfigured(f"a record's topic does not exist: {error.str()}")
        if error.fatal() or error.code() == KafkaError._FATAL:
            with self._replacing:
                if self._producer is producer:
                    self._producer = Producer(self._clients.producing(self._client_id))
        raise Transient(f"records not written: {error.str()}")
