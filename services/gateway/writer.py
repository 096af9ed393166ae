"""Writes what clients send and ask for: durable before it returns, with a trace of its own."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import datetime

from shared.bus.base import Position, Producer
from shared.clock import fresh_id
from shared.runtime.outgoing import records_of
from shared.topics import Out


class Writer:
    """Safe to call from many threads. Raises `Transient` where it is not known that Kafka has it all."""

    def __init__(self, producer: Producer, full_name: Callable[[str], str], timeout: float) -> None:
        self._producer = producer
        self._full_name = full_name
        self._timeout = timeout

    def write(self, outs: Sequence[Out], now: datetime) -> list[Position]:
        """Where each message stands in the log (full topic names), in their order."""
        if not outs:
            return []
        records = records_of(outs, fresh_id("gateway"), "/homeostat/gateway", self._full_name, now)
        return self._producer.send(records, self._timeout)

    def close(self) -> None:
        self._producer.close()
