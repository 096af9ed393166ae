"""Where notices go in these tests: a real HTTP server, and the subscriptions that lead to it."""

from __future__ import annotations

import json
import queue
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from homeostat.local.waiting import wait_for
from shared.topics import COMMAND_RESULTS
from tests.services.gateway.running import Running

Received = tuple[dict[str, str], bytes]
WAIT = 15


class Receiver:
    """A real HTTP server that keeps what it gets. `answers` are its statuses in turn, then 200."""

    def __init__(self) -> None:
        self.got: queue.Queue[Received] = queue.Queue()
        self.answers: list[int] = []
        receiver = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["Content-Length"]))
                receiver.got.put(({name.lower(): value for name, value in self.headers.items()}, body))
                status = receiver.answers.pop(0) if receiver.answers else 200
                self.send_response(status)
                if status == 302:
                    self.send_header("Location", receiver.url)
                self.send_header("Content-Length", "0")
                self.end_headers()

            def log_message(self, *_: object) -> None:
                """Quiet."""

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_port}/hook"
        self.thread = threading.Thread(target=self.server.serve_forever, args=(0.05,), daemon=True)

    def take(self) -> dict[str, Any]:
        body: dict[str, Any] = json.loads(self.got.get(timeout=WAIT)[1])
        return body


def subscribe(gateway: Running, url: str, **more: Any) -> dict[str, Any]:
    answer = gateway.http.post("/v1/subscriptions", json={"url": url, "name": "ops", **more})
    assert answer.status_code == 201, answer.text
    made: dict[str, Any] = answer.json()
    return made


def listed(gateway: Running) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = gateway.http.get("/v1/subscriptions").json()["subscriptions"]
    return found


def written(gateway: Running, wanted: int) -> list[Any]:
    """The command results, once there are as many as wanted."""
    assert wait_for(lambda: len(gateway.written(COMMAND_RESULTS)) >= wanted, WAIT)
    return gateway.written(COMMAND_RESULTS)
