"""The gateway's own heartbeat on `telemetry`, as every service's runtime writes one."""

from __future__ import annotations

import asyncio

import structlog

from services.gateway.parts import Parts
from shared.errors import HomeostatError
from shared.topics import TELEMETRY

log = structlog.get_logger("gateway.pulse")

BEAT_SECONDS = 5.0


async def beat(parts: Parts) -> None:
    """Beats until cancelled. While Kafka is away there is no pulse, which is what a silent part shows."""
    while True:
        try:
            await parts.write([TELEMETRY.of(parts.meter.beat(parts.now(), parts.follower.lag))])
        except HomeostatError as error:
            parts.meter.failed("transient")
            log.warning("no pulse: kafka is away", error=str(error))
        await asyncio.sleep(BEAT_SECONDS)
