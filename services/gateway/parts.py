"""The gateway's parts, made once and handed to the routes. Closed in the opposite order."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Annotated, Any, TypeVar

import structlog
from fastapi import Depends, Request

from services.gateway.answered import Answered
from services.gateway.delivery.deliveries import Deliveries
from services.gateway.delivery.store import SubscriptionStore
from services.gateway.disk import nearly_full
from services.gateway.follower import Follower, Partition
from services.gateway.hub import Hub
from services.gateway.keeping import TASK, Keeper
from services.gateway.leftovers import remove_leftovers
from services.gateway.predictor import InferenceClient
from services.gateway.readmodel.entry import Entry
from services.gateway.rest.auth import Keys, session_secret
from services.gateway.searches import Searches
from services.gateway.service import Held, ReadModels
from services.gateway.settings import GatewaySettings
from services.gateway.stream import LogStreams
from services.gateway.waiting import Waiters
from services.gateway.writer import Writer
from shared.bus.base import Bus, Position
from shared.clock import utc_now
from shared.runtime.meter import Meter
from shared.state import FileStore, Snapshots
from shared.telemetry.metrics import Meters
from shared.topics import PREDICTIONS, Out

log = structlog.get_logger("gateway.sink")

T = TypeVar("T")

AT_ONCE = 1000
"""Entries taken over before the event loop may do something else."""

CLUSTER_SECONDS = 5.0


class LoopSink:
    """Takes entries in the follower's thread and folds them on the event loop, each for itself."""

    def __init__(self, models: ReadModels, hub: Hub, meter: Meter) -> None:
        self._models = models
        self._hub = hub
        self._meter = meter
        self.loop: asyncio.AbstractEventLoop | None = None

    def begin(self, positions: Mapping[Partition, int]) -> None:
        self._on_loop(self._hub.begin, positions)
        self._on_loop(
            self._models.predictions.begin, [at for (topic, _), at in positions.items() if topic == PREDICTIONS.name]
        )

    def fold(self, topic: str, entries: Sequence[Entry[Any]]) -> None:
        self._on_loop(self._fold, topic, entries)

    def _fold(self, topic: str, entries: Sequence[Entry[Any]]) -> None:
        for entry in entries:
            try:
                self._models.fold(topic, [entry])
            except Exception:
                self._meter.failed("handler")
                log.exception("a read model cannot take this", topic=topic, offset=entry.offset)
        self._hub.publish(topic, entries)
        self._meter.took(topic, len(entries))

    def held(self) -> Held:
        return self._on_loop(self._models.held)

    def take_over(self, held: Held) -> None:
        self._on_loop(self._models.ledger.take_over, held.index)
        for section, entries in held.entries.items():
            for start in range(0, len(entries), AT_ONCE):
                self._on_loop(self._take_over, section, entries[start : start + AT_ONCE])

    def _take_over(self, section: str, entries: Sequence[Entry[Any]]) -> None:
        for entry in entries:
            self._models.take_over(section, entry)

    def _on_loop(self, call: Callable[..., T], *arguments: Any) -> T:
        if self.loop is None:
            raise RuntimeError("the follower was started before the application")

        async def run() -> T:
            return call(*arguments)

        return asyncio.run_coroutine_threadsafe(run(), self.loop).result()


@dataclass(frozen=True, slots=True)
class Parts:
    """Everything a route may use."""

    settings: GatewaySettings
    models: ReadModels
    hub: Hub
    sink: LoopSink
    follower: Follower
    writer: Writer
    streams: LogStreams
    waiters: Waiters
    answered: Answered
    searches: Searches
    subscriptions: SubscriptionStore
    deliveries: Deliveries
    keys: Keys
    meter: Meter
    bus: Bus
    full_name: Callable[[str], str]
    predictor: InferenceClient
    data_dir: Path
    now: Callable[[], datetime] = utc_now

    def full_disk(self) -> str:
        """A sentence to stand behind an error of Kafka's where the data folder's disk has little room."""
        return nearly_full(self.data_dir)

    async def write(self, outs: Sequence[Out]) -> list[Position]:
        """Durably on Kafka when it returns."""
        positions = await asyncio.to_thread(self.writer.write, outs, self.now())
        for out in outs:
            self.meter.wrote(out.topic.name, 1)
        return positions

    async def write_and_see(self, out: Out) -> Position:
        """Also folded when it returns, if that takes no more than two seconds: a GET then shows it."""
        (position,) = await self.write([out])
        await asyncio.to_thread(self.follower.wait_for, [position], 2.0)
        return position


def make_parts(
    settings: GatewaySettings,
    bus: Bus,
    full_name: Callable[[str], str],
    data_dir: Path,
    *,
    instance: str = "0",
    now: Callable[[], datetime] = utc_now,
) -> Parts:
    """Connects everything; nothing runs before the application starts."""
    models, hub = ReadModels(), Hub()
    meter = Meter("gateway", instance, now(), Meters())
    sink = LoopSink(models, hub, meter)
    streams = LogStreams(hub, bus, full_name, buffer=settings.stream_buffer)
    writer = Writer(bus.producer("gateway"), full_name, settings.produce_seconds)
    store = SubscriptionStore(data_dir / "gateway" / "subscriptions.json")

    def snapshots() -> Snapshots:
        cluster, files = bus.cluster_id(CLUSTER_SECONDS), FileStore(data_dir / "gateway")
        namespace = f"{cluster}/{full_name('')}"
        remove_leftovers(data_dir / "gateway", cluster, files.path_of(f"{namespace}/{TASK}").name)
        return Snapshots([files], namespace, lambda: meter.failed("snapshot"))

    return Parts(
        settings=settings,
        models=models,
        hub=hub,
        sink=sink,
        follower=Follower(bus, full_name, sink, Keeper(snapshots, sink), recent=settings.recent_records),
        writer=writer,
        streams=streams,
        waiters=Waiters(hub),
        answered=Answered(models.predictions, bus, full_name),
        searches=Searches(),
        subscriptions=store,
        deliveries=Deliveries(store, streams, models, hub, writer, settings, now),
        keys=Keys(settings.api_key_hashes, session_secret(data_dir / "gateway" / "session-secret")),
        meter=meter,
        bus=bus,
        full_name=full_name,
        predictor=InferenceClient(settings.predictor_url),
        data_dir=data_dir,
        now=now,
    )


async def _parts(request: Request) -> Parts:
    parts: Parts = request.app.state.parts
    return parts


Needs = Annotated[Parts, Depends(_parts)]
"""What a route declares to get at the parts."""
