"""A running gateway over a log in memory: real HTTP on loopback, real messages, the application as it is."""

from __future__ import annotations

import hashlib
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx
import msgspec
import uvicorn

from services.gateway.app import create_app
from services.gateway.parts import Parts, make_parts
from services.gateway.server import server_of
from services.gateway.settings import GatewaySettings
from shared import codec
from shared.bus.base import NewRecord, Position
from shared.bus.memory import MemoryBus
from shared.clock import utc_now
from shared.runtime.installation import topic_specs
from shared.settings import CommonSettings
from shared.telemetry.listening import listening
from shared.topics import Topic

KEY = "a-key-that-only-this-test-knows"
PREFIX = "t."
HASHES = {"tester": hashlib.sha256(KEY.encode()).hexdigest()}


class Running:
    """The gateway's address, a client with the key, and the log behind it."""

    def __init__(
        self, url: str, parts: Parts, bus: MemoryBus, server: uvicorn.Server, thread: threading.Thread
    ) -> None:
        self.url = url
        self.parts = parts
        self.bus = bus
        self.server = server
        self.thread = thread
        self.http = httpx.Client(base_url=url, headers={"Authorization": f"Bearer {KEY}"}, timeout=20)
        self._producer = bus.producer("test")

    def put(self, topic: Topic[Any], *messages: msgspec.Struct) -> list[Position]:
        """Writes messages as a service would, and returns once the gateway has folded them."""
        positions = self.write_only(topic, *messages)
        assert self.parts.follower.wait_for(positions, 10), "the gateway did not fold what was written"
        return positions

    def write_only(self, topic: Topic[Any], *messages: msgspec.Struct) -> list[Position]:
        """Writes messages, whether the gateway runs or not."""
        records = [
            NewRecord(PREFIX + topic.name, topic.key(message).encode(), codec.encode(message)) for message in messages
        ]
        return self._producer.send(records, 5)

    def written(self, topic: Topic[Any]) -> list[Any]:
        """Every message on a topic, in the order written."""
        return [codec.decode(topic, record.value) for record in self.bus.records(PREFIX + topic.name)]


def settings_with(**changes: Any) -> GatewaySettings:
    """What the tests run with: a key, a port of the system's choice, short waits."""
    defaults: dict[str, Any] = {
        "api_key_hashes": HASHES,
        "port": 0,
        "predict_seconds": 5.0,
        "delivery_seconds": 5.0,
        "delivery_pause_seconds": 0.01,
        "predictor_url": "http://127.0.0.1:9",
    }
    return GatewaySettings(**defaults | changes)


def new_bus(data_dir: Path, kind: type[MemoryBus] = MemoryBus) -> MemoryBus:
    """A log in memory with every topic, stamping records with the wall clock."""
    bus = kind(clock_ms=lambda: int(utc_now().timestamp() * 1000))
    bus.ensure_topics(topic_specs(common(data_dir)), 1)
    return bus


def common(data_dir: Path) -> CommonSettings:
    return CommonSettings(bootstrap_servers="memory", data_dir=data_dir, topic_prefix=PREFIX)


@contextmanager
def running(data_dir: Path, bus: MemoryBus | None = None, *, wait: bool = True, **changes: Any) -> Iterator[Running]:
    """A gateway that serves until the block ends. Without `wait` it ends beside what comes after the block."""
    bus = bus or new_bus(data_dir)
    settings = settings_with(**changes)
    parts = make_parts(settings, bus, common(data_dir).full_name, data_dir)
    server = server_of(create_app(parts))
    with listening("127.0.0.1", settings.port, what="the gateway", variable="HOMEOSTAT_PORT") as listener:
        port = listener.getsockname()[1]
        thread = threading.Thread(target=server.run, kwargs={"sockets": [listener]}, daemon=True)
        thread.start()
        assert parts.follower.ready.wait(20), parts.follower.problem
        gateway = Running(f"http://127.0.0.1:{port}", parts, bus, server, thread)
        try:
            yield gateway
        finally:
            gateway.http.close()
            server.should_exit = True
            if wait:
                thread.join(15)
