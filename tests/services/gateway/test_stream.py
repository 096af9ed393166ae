"""Streams over the log: what they leave behind when a client goes."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Iterator
from pathlib import Path

from services.gateway.hub import Hub
from services.gateway.stream import LogStreams
from shared import codec
from shared.bus.base import NewRecord, Record
from shared.bus.memory import MemoryReader
from shared.topics import ALERTS
from tests.services.gateway.messages import alert
from tests.services.gateway.running import PREFIX, new_bus

WAIT = 10


class Slow:
    """Readers that read when `go` is set. `deeds` tells what they did, in order."""

    def __init__(self) -> None:
        self.reading, self.go, self.closed = threading.Event(), threading.Event(), threading.Event()
        self.deeds: list[str] = []

    def readers(self) -> type[MemoryReader]:
        slow = self

        class Reader(MemoryReader):
            def read(
                self, topic: str, partition: int, start: int, stop: int, timeout: float = 30.0
            ) -> Iterator[list[Record]]:
                slow.reading.set()
                slow.go.wait(WAIT)
                slow.deeds.append("read")
                return super().read(topic, partition, start, stop, timeout)

            def close(self) -> None:
                slow.deeds.append("closed")
                slow.closed.set()

        return Reader


def test_a_reader_is_closed_after_what_a_client_that_has_gone_still_reads(tmp_path: Path) -> None:
    bus, slow = new_bus(tmp_path), Slow()
    bus.readers = slow.readers()
    bus.producer("test").send([NewRecord(PREFIX + ALERTS.name, b"elec2", codec.encode(alert()))], 5)
    hub = Hub()
    hub.begin({(ALERTS.name, 0): 1})
    streams = LogStreams(hub, bus, lambda name: PREFIX + name, buffer=10)

    async def goes_while_reading() -> None:
        async def listen() -> None:
            async for _ in streams.entries((ALERTS.name,), {(ALERTS.name, 0): 0}, lambda _: True):
                return

        client = asyncio.create_task(listen())
        await asyncio.to_thread(slow.reading.wait, WAIT)
        client.cancel()
        await asyncio.gather(client, return_exceptions=True)
        slow.go.set()

    asyncio.run(goes_while_reading())

    assert slow.closed.wait(WAIT)
    assert slow.deeds == ["read", "closed"]
