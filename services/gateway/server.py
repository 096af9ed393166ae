"""Serves the application until it is told to end."""

from __future__ import annotations

import signal
import socket

import uvicorn
from fastapi import FastAPI

from services.gateway.hub import Hub
from services.gateway.parts import Parts
from services.gateway.settings import GatewaySettings
from shared.telemetry.listening import listening

DRAIN_SECONDS = 5


def serve(app: FastAPI, settings: GatewaySettings) -> None:
    """Serves until SIGTERM or SIGINT; calls under way get `DRAIN_SECONDS` to end."""
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, _ended)  # uvicorn raises the signal again once it has drained: that is a good end
    with listening(settings.host, settings.port, what="the gateway", variable="HOMEOSTAT_PORT") as listener:
        server_of(app).run(sockets=[listener])


def _ended(*_: object) -> None:
    """What there was to do is done."""


class _Server(uvicorn.Server):
    """Ends live streams before it waits for calls to end: they have no end of their own."""

    def __init__(self, config: uvicorn.Config, hub: Hub) -> None:
        super().__init__(config)
        self._hub = hub

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        self._hub.end()
        await super().shutdown(sockets)


def server_of(app: FastAPI) -> uvicorn.Server:
    """The server of an application that `create_app` made."""
    config = uvicorn.Config(
        app,
        log_level="warning",
        access_log=False,
        server_header=False,
        timeout_graceful_shutdown=DRAIN_SECONDS,
        h11_max_incomplete_event_size=64 * 1024,
    )
    parts: Parts = app.state.parts
    return _Server(config, parts.hub)
