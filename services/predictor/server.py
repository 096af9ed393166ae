"""The endpoint's HTTP server, beside the service's own loop: a companion of the runtime."""

from __future__ import annotations

import socket
import threading
from typing import Final

import uvicorn

from services.predictor.rest import Endpoint
from services.predictor.settings import PredictorSettings
from shared.telemetry.listening import listening

_DRAIN_SECONDS: Final = 5


class Server:
    """Serves from `start` to `stop` in a thread of its own; `stop` lets requests under way finish."""

    def __init__(self, endpoint: Endpoint, settings: PredictorSettings) -> None:
        self._settings = settings
        config = uvicorn.Config(
            endpoint,
            log_config=None,
            access_log=False,
            lifespan="off",
            ws="none",
            server_header=False,
            timeout_graceful_shutdown=_DRAIN_SECONDS,
        )
        self._server = uvicorn.Server(config)
        self._socket: socket.socket | None = None
        self._thread: threading.Thread | None = None

    def start(self) -> None:
        """Listens when it returns; `Misconfigured` where the address cannot be had."""
        self._socket = listening(
            self._settings.host,
            self._settings.port,
            what="the inference endpoint",
            variable="HOMEOSTAT_PREDICTOR_PORT",
        )
        self._thread = threading.Thread(target=self._serve, name="inference-endpoint", daemon=True)
        self._thread.start()

    def stop(self) -> None:
        self._server.should_exit = True
        if self._thread is not None:
            self._thread.join(_DRAIN_SECONDS + 1)
        if self._socket is not None:
            self._socket.close()

    @property
    def port(self) -> int:
        """The port it listens on, also where the settings left the choice to the system (0)."""
        if self._socket is None:
            return self._settings.port
        return int(self._socket.getsockname()[1])

    def _serve(self) -> None:
        assert self._socket is not None  # noqa: S101 - `start` made it
        self._server.run(sockets=[self._socket])
