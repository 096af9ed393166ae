"""The application: routes, and around them the limits, the check of keys and the count of calls."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from fastapi import FastAPI

from services.gateway.parts import Parts
from services.gateway.pulse import beat
from services.gateway.rest import (
    data,
    health,
    incidents,
    inference,
    live,
    metrics,
    models,
    orders,
    outcomes,
    pages,
    pipelines,
    predict,
    problems,
    session,
    subscriptions,
)
from services.gateway.rest.auth import RequireKey
from services.gateway.rest.counting import CountCalls
from services.gateway.rest.forms import TakeFormsAsJson
from services.gateway.rest.limits import InFlight, LimitBody

ABOUT = """
The front door of Homeostat. Give an API key as `Authorization: Bearer KEY` or `X-API-Key: KEY`.
Errors are `application/problem+json` (RFC 9457).
"""


def create_app(parts: Parts) -> FastAPI:
    """The ASGI application over these parts. Its lifespan runs the follower, the deliveries and the pulse."""

    @asynccontextmanager
    async def lifespan(_: FastAPI) -> AsyncIterator[None]:
        parts.sink.loop = asyncio.get_running_loop()
        parts.follower.start()
        work = [asyncio.create_task(beat(parts)), asyncio.create_task(_deliver_when_ready(parts))]
        try:
            yield
        finally:
            for task in work:
                task.cancel()
            await asyncio.gather(*work, return_exceptions=True)
            await parts.deliveries.stop()
            await asyncio.to_thread(parts.follower.stop)
            parts.searches.close()
            await parts.predictor.close()
            await asyncio.to_thread(parts.writer.close)

    app = FastAPI(title="Homeostat", version="1", description=ABOUT, lifespan=lifespan, docs_url=None, redoc_url=None)
    app.state.parts = parts
    problems.install(app)
    # `live` stands before what has a path parameter in the same place.
    ours = (pages, health, session, live, data, outcomes, predict, pipelines, metrics, models, orders, incidents)
    for module in (*ours, subscriptions, inference):
        app.include_router(module.router)
    # The last one added is the outermost.
    settings = parts.settings
    app.add_middleware(TakeFormsAsJson)
    in_flight = InFlight(settings.in_flight_bytes)
    app.add_middleware(LimitBody, limit=settings.body_bytes, row_limit=settings.event_bytes, in_flight=in_flight)
    app.add_middleware(RequireKey, keys=parts.keys, now=parts.now)
    app.add_middleware(CountCalls, meters=parts.meter.meters)
    return app


async def _deliver_when_ready(parts: Parts) -> None:
    while not await asyncio.to_thread(parts.follower.ready.wait, 0.5):
        continue
    parts.deliveries.start()
