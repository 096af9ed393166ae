"""Health and metrics on a port of their own, like every service's: Prometheus asks there, without a key."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TypeVar

from services.gateway.gauges import expose
from services.gateway.parts import Parts
from shared.telemetry.http import Health, HealthServer

T = TypeVar("T")

LOOP_SECONDS = 5.0


@contextmanager
def exposed(parts: Parts, host: str, port: int) -> Iterator[int]:
    """Serves `/livez`, `/readyz` and `/metrics` until the block ends; the port, where `port` 0 leaves the choice.

    Nothing there reads or changes what belongs to a pipeline, so no key is asked for.
    """
    server = HealthServer(
        host, port, alive=lambda: _alive(parts), parts=lambda: _health(parts), metrics=lambda: _metrics(parts)
    )
    server.start()
    try:
        yield server.port
    finally:
        server.stop()


def missing(parts: Parts) -> dict[str, str]:
    """What the gateway needs, each ``ok`` or what it lacks."""
    return {
        "kafka": f"{parts.follower.problem}{parts.full_disk()}" if parts.follower.problem else "ok",
        "read_models": "ok" if parts.follower.ready.is_set() else "the log is still being read",
    }


def metrics_text(parts: Parts) -> bytes:
    """This process's metrics, in Prometheus's text format. On the event loop: the read models belong to it."""
    expose(parts.models, parts.meter, parts.follower.lag)
    return parts.meter.meters.text()


def _health(parts: Parts) -> dict[str, Health]:
    return {name: Health(state == "ok", "" if state == "ok" else state) for name, state in missing(parts).items()}


def _metrics(parts: Parts) -> bytes:
    return b"" if parts.sink.loop is None else _on(parts.sink.loop, lambda: metrics_text(parts))


def _alive(parts: Parts) -> bool:
    """Whether the event loop that serves people still turns; before it is made, the start is under way."""
    try:
        return parts.sink.loop is None or _on(parts.sink.loop, lambda: True)
    except TimeoutError:
        return False


def _on(loop: asyncio.AbstractEventLoop, call: Callable[[], T]) -> T:
    async def run() -> T:
        return call()

    return asyncio.run_coroutine_threadsafe(run(), loop).result(LOOP_SECONDS)
