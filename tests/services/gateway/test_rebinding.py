"""A name that leads elsewhere at sending than it did when it was checked."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from threading import Thread

import pytest

from services.gateway.delivery.channels import Channels, NotDelivered
from services.gateway.delivery.guard import Refused, guarded
from services.gateway.delivery.notice import test_notice as notice_for
from services.gateway.delivery.store import Subscription
from tests.services.gateway.messages import START


class Inside:
    """A server on this machine, and how often it was spoken to."""

    def __init__(self) -> None:
        self.calls = calls = [0]

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                calls[0] += 1
                self.rfile.read(int(self.headers["Content-Length"]))
                self.send_response(200)
                self.send_header("Content-Length", "0")
                self.end_headers()

            def log_message(self, *_: object) -> None:
                """Quiet."""

        self.server = HTTPServer(("127.0.0.1", 0), Handler)
        self.port = self.server.server_port


@pytest.fixture
def inside() -> Iterator[Inside]:
    made = Inside()
    thread = Thread(target=made.server.serve_forever, args=(0.05,), daemon=True)
    thread.start()
    yield made
    made.server.shutdown()
    made.server.server_close()
    thread.join(5)


def said_to_be_public(host: str, port: int) -> list[str]:
    """What DNS said while the target was checked; the system's own resolver says otherwise of localhost."""
    return ["93.184.215.14"]


def sent(allow: list[str], port: int) -> None:
    url = f"json://localhost:{port}/hook"
    subscription = Subscription(id="s", name="s", type="apprise", url=url, created_at=START, created_by="person:x")

    async def send() -> None:
        channels = Channels(allow, "http://gateway", resolver=said_to_be_public)
        try:
            await channels.check("apprise", url)
            await channels.send(subscription, notice_for("s", START), START)
        finally:
            await channels.close()

    asyncio.run(send())


def test_apprise_does_not_reach_inside_through_a_name_that_was_public_when_it_was_checked(inside: Inside) -> None:
    with pytest.raises(NotDelivered, match="not a public address"):
        sent([], inside.port)

    assert inside.calls == [0]


@pytest.mark.parametrize("allowed", ["localhost", "127.0.0.0/8"])
def test_apprise_reaches_what_the_operator_allows_by_name_or_network(inside: Inside, allowed: str) -> None:
    sent([allowed, "::1"], inside.port)

    assert inside.calls == [1]


def test_only_what_runs_under_the_guard_is_held_back(inside: Inside) -> None:
    with guarded(()), pytest.raises(Refused, match=r"127\.0\.0\.1"):
        socket.create_connection(("127.0.0.1", inside.port), timeout=5)

    socket.create_connection(("127.0.0.1", inside.port), timeout=5).close()
