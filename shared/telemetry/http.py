"""Health and metrics over HTTP: `/livez`, `/readyz` and `/metrics` of one process, in a thread."""

from __future__ import annotations

import sys
import threading
from collections.abc import Callable, Mapping
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import msgspec
import structlog

from shared.errors import Misconfigured

_log = structlog.get_logger("homeostat.telemetry")


class Health(msgspec.Struct, frozen=True):
    """How one part is. `detail` says for a person what is missing."""

    ok: bool
    detail: str = ""


class HealthServer:
    """Serves until `stop`. Port 0: any that is free; `port` says which.

    `/livez` answers 200 while `alive` says so, `/readyz` 200 while every part of `parts` is well and
    503 with the parts that are not; `/metrics` gives Prometheus's text.
    """

    def __init__(
        self,
        host: str,
        port: int,
        *,
        alive: Callable[[], bool],
        parts: Callable[[], Mapping[str, Health]],
        metrics: Callable[[], bytes],
    ) -> None:
        pages = {
            "/livez": lambda: _judged({"process": Health(alive())}),
            "/readyz": lambda: _judged(parts()),
            "/metrics": lambda: (200, "text/plain; version=0.0.4; charset=utf-8", metrics()),
        }
        try:
            self._server = _Server((host, port), _handler(pages))
        except OSError as error:
            raise Misconfigured(
                f"the health port {host}:{port} cannot be used ({error.strerror}): set HOMEOSTAT_HEALTH_PORT"
            ) from error
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.1,), name="health", daemon=True)

    @property
    def port(self) -> int:
        return self._server.server_address[1]

    def start(self) -> None:
        self._thread.start()

    def stop(self) -> None:
        self._server.shutdown()
        self._server.server_close()


class _Server(ThreadingHTTPServer):
    daemon_threads = True

    def handle_error(self, request: Any, client_address: Any) -> None:
        """A probe that does not wait for its answer is no failure of ours."""
        error = sys.exception()
        if isinstance(error, ConnectionError):
            _log.debug("a probe hung up", client=client_address[0], why=str(error))
        else:
            super().handle_error(request, client_address)


Page = tuple[int, str, bytes]


def _judged(parts: Mapping[str, Health]) -> Page:
    status = 200 if all(part.ok for part in parts.values()) else 503
    body = {"status": "ok" if status == 200 else "unavailable", "parts": dict(parts)}
    return status, "application/json", msgspec.json.encode(body)


def _handler(pages: Mapping[str, Callable[[], Page]]) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            page = pages.get(self.path.partition("?")[0])
            status, kind, body = page() if page else (404, "text/plain", b"/livez, /readyz, /metrics\n")
            self.send_response(status)
            self.send_header("Content-Type", kind)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the standard library's name
            """Probes are not worth a line each."""

    return Handler
