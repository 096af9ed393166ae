"""Rows get through a gateway that is away for a moment, and what got in is said where it stays away."""

from __future__ import annotations

import io
import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from homeostat.cli.data import stream
from homeostat.client import ApiError, Client, NoAnswer
from homeostat.rows import parts_in
from shared.errors import HomeostatError

ROWS = [{"id": "a"}, {"id": "b"}]
DROPPED = 0


class Flaky(ThreadingHTTPServer):
    """Answers with these statuses in turn (`DROPPED`: with none, the connection is cut), then takes everything."""

    def __init__(self, *statuses: int) -> None:
        super().__init__(("127.0.0.1", 0), Answering)
        self.statuses = list(statuses)
        self.bodies: list[bytes] = []

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_port}"


class Answering(BaseHTTPRequestHandler):
    server: Flaky

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"]))
        self.server.bodies.append(body)
        status = self.server.statuses.pop(0) if self.server.statuses else 202
        if status == DROPPED:
            self.close_connection = True
            return
        said = json.dumps({"accepted": len(body.splitlines())} if status == 202 else {"detail": "away"}).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(said)))
        self.end_headers()
        self.wfile.write(said)

    def log_message(self, *_: object) -> None:
        """Not in the tests' output."""


@contextmanager
def flaky(*statuses: int) -> Iterator[Flaky]:
    with Flaky(*statuses) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.01,))
        thread.start()
        yield server
        server.shutdown()
        thread.join()


def test_rows_that_were_not_answered_are_sent_again_as_they_were() -> None:
    with flaky(DROPPED, 503) as server, Client(server.url, None) as client:
        tally = client.send_events("elec2", ROWS, "meter")

    assert tally.accepted == 2
    assert len(server.bodies) == 3
    assert len(set(server.bodies)) == 1


def test_labels_too() -> None:
    with flaky(502) as server, Client(server.url, None) as client:
        assert client.send_labels("elec2", ROWS, "meter").accepted == 2


def test_what_is_refused_is_not_sent_again() -> None:
    with flaky(404) as server, Client(server.url, None) as client, pytest.raises(ApiError, match="404"):
        client.send_events("elec2", ROWS, "meter")

    assert len(server.bodies) == 1


def test_nobody_is_waited_for_longer_than_was_said() -> None:
    with (
        Client("http://127.0.0.1:9", None, repeat_seconds=0.0) as client,
        pytest.raises(NoAnswer, match="homeostat up"),
    ):
        client.send_events("elec2", ROWS, "meter")


def test_where_a_line_cannot_be_read_what_was_taken_before_it_is_said() -> None:
    lines = io.BufferedReader(io.BytesIO(b'{"id": "a"}\n{"id": "b"}\n{"id": \n{"id": "c"}\n'))
    with flaky(202) as server, Client(server.url, None) as client, pytest.raises(HomeostatError) as broken:
        stream(parts_in("-", lines), None, 9, 0.0, "events", lambda part: client.send_events("elec2", part, "meter"))

    assert "standard input:3: the line is not JSON" in str(broken.value)
    assert "2 rows before it were answered, 2 of them accepted; nothing after it was read" in str(broken.value)


def test_where_it_breaks_off_what_is_in_is_said_and_that_all_may_be_sent_again() -> None:
    with flaky(202, 503) as server, Client(server.url, None, repeat_seconds=0.0) as client:
        rows = [{"id": str(number)} for number in range(5)]
        with pytest.raises(HomeostatError) as broken:
            stream([rows], 5, 2, 0.0, "events", lambda part: client.send_events("elec2", part, "meter"))

    assert "2 of 5 rows were answered, 2 of them accepted" in str(broken.value)
    assert "Sending all of them again is safe" in str(broken.value)
