"""Listens. A port in use is an error that says so, before anything else is started."""

from __future__ import annotations

import signal
import socket

import uvicorn
from fastapi import FastAPI

from services.gateway.settings import GatewaySettings
from shared.errors import Misconfigured

DRAIN_SECONDS = 5


def serve(app: FastAPI, settings: GatewaySettings) -> None:
    """Serves until SIGTERM or SIGINT; calls under way get `DRAIN_SECONDS` to end."""
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, _ended)  # uvicorn raises the signal again once it has drained: that is a good end
    with listening(settings.host, settings.port) as listener:
        server_of(app).run(sockets=[listener])


def _ended(*_: object) -> None:
    """What there was to do is done."""


def server_of(app: FastAPI) -> uvicorn.Server:
    config = uvicorn.Config(
        app,
        log_level="warning",
        access_log=False,
        server_header=False,
        timeout_graceful_shutdown=DRAIN_SECONDS,
        h11_max_incomplete_event_size=64 * 1024,
    )
    return uvicorn.Server(config)


def listening(host: str, port: int) -> socket.socket:
    """A socket that listens; `Misconfigured` where the address cannot be had."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    listener = socket.socket(family, socket.SOCK_STREAM)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listener.bind((host, port))
        listener.listen(1024)
    except OSError as error:
        listener.close()
        raise Misconfigured(
            f"the gateway cannot listen on {host}:{port} ({error.strerror}): set HOMEOSTAT_PORT to a free port"
        ) from error
    return listener
