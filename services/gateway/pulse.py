"""The gateway's own heartbeat on `telemetry`, as every service's runtime writes one."""

from __future__ import annotations

import asyncio

import structlog

from services.gateway.parts import Parts
from shared.errors import HomeostatError
from shared.topics import TELEMETRY

log = structlog.get_logger("gateway.pulse")

BEAT_SECONDS, STARTING_SECONDS = 5.0, 1.0


async def beat(parts: Parts) -> None:
    """Beats until cancelled. While Kafka is away there is no pulse, which is what a silent part shows."""
    while True:
        starting = not parts.follower.ready.is_set()
        try:
            await parts.write([TELEMETRY.of(parts.meter.beat(parts.now(), parts.follower.lag, starting=starting))])
        except HomeostatError as error:
            parts.meter.failed("transient")
            log.warning("no pulse: kafka is away", error=str(error))
        await asyncio.sleep(STARTING_SECONDS if starting else BEAT_SECONDS)
