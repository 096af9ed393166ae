"""A service's loop, put together from its parts."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from datetime import datetime

from shared.bus.base import Bus
from shared.clock import monotonic
from shared.runtime.assignment import Assignment
from shared.runtime.host import Make
from shared.runtime.installation import partitions_of
from shared.runtime.jobs import JobRunner
from shared.runtime.loop import ServiceLoop
from shared.runtime.meter import Meter, processor_seconds, resident_bytes
from shared.runtime.task import grouped_topics
from shared.runtime.tasks import Parts, Tasks
from shared.settings import CommonSettings
from shared.state import Snapshots
from shared.telemetry.metrics import Meters
from shared.telemetry.spans import NO_SPANS, Spans
from shared.topics import group_of


def loop_of(
    name: str,
    make: Make,
    *,
    bus: Bus,
    settings: CommonSettings,
    jobs: JobRunner,
    snapshots: Snapshots,
    clock: Callable[[], datetime],
    meters: Meters | None = None,
    rss: Callable[[], int] = resident_bytes,
    processor: Callable[[], float] = processor_seconds,
    guarded: Callable[[], AbstractContextManager[object]] = nullcontext,
    stopwatch: Callable[[], float] = monotonic,
    alive: Callable[[], None] = lambda: None,
    spans: Spans = NO_SPANS,
) -> ServiceLoop:
    """The loop of service `name`, subscribed and ready to turn."""
    slot = settings.full_name(group_of(name))
    client = f"{slot}.{settings.instance}"
    parts = Parts(
        make=make,
        settings=settings,
        transaction=bus.transaction(group=slot, transactional_id=client, client_id=client),
        reader=bus.reader(client),
        snapshots=snapshots,
        jobs=jobs,
        meter=Meter(name, settings.instance, clock(), meters or Meters(), rss, processor),
        stopwatch=stopwatch,
        alive=alive,
        spans=spans,
    )
    partitions = {topic.name: partitions_of(topic, settings) for topic in grouped_topics(name)}
    return ServiceLoop(parts, Tasks(parts, Assignment(name, settings.full_name, partitions)), clock, guarded)
