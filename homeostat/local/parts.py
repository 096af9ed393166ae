"""A part of the stack: a program, how to start it, and how to ask it whether it works."""

from __future__ import annotations

import http.client
from collections.abc import Callable
from dataclasses import dataclass

from homeostat.local.process import Child


@dataclass(slots=True)
class Part:
    """`ready` says that it can work, `alive` that it is not stuck; both answer within about a second.

    `needs` names the parts that must have been ready for `after_seconds` before it is started.
    `service` and `instance` are what it is in the messages. A part that is not `awaited` may become
    ready after the stack is. `stop_seconds`: how long it may take to end by itself.
    """

    name: str
    child: Child
    launch: Callable[[], None]
    ready: Callable[[], bool]
    alive: Callable[[], bool]
    service: str
    instance: str = "0"
    needs: tuple[str, ...] = ()
    after_seconds: float = 0.0
    awaited: bool = True
    stop_seconds: float = 15.0

    @property
    def is_server(self) -> bool:
        """Kafka, Redis or MLflow: it has no pulse of its own on `telemetry`, and outlives the services."""
        return self.service in {"kafka", "redis", "mlflow"}


def http_ok(port: int, path: str, timeout: float = 1.0) -> bool:
    """Whether GET `path` on this machine answers 200."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=timeout)
    try:
        connection.request("GET", path)
        return connection.getresponse().status == http.client.OK
    except (OSError, http.client.HTTPException):
        return False
    finally:
        connection.close()
