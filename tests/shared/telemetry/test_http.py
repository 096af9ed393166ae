"""The health server, asked as a probe asks it."""

from __future__ import annotations

import json
import socket
import struct
import threading
import urllib.error
import urllib.request
from collections.abc import Iterator

import pytest

from homeostat.local.waiting import wait_for
from shared.errors import Misconfigured
from shared.telemetry.http import Health, HealthServer
from tests.support.logs import logged

PARTS = {"kafka": Health(True), "state": Health(True)}


@pytest.fixture
def server() -> Iterator[HealthServer]:
    parts = dict(PARTS)
    made = HealthServer("127.0.0.1", 0, alive=lambda: True, parts=lambda: parts, metrics=lambda: b"m 1\n")
    made.parts_for_test = parts  # type: ignore[attr-defined]
    made.start()
    yield made
    made.stop()


def _get(server: HealthServer, path: str) -> tuple[int, bytes]:
    try:
        with urllib.request.urlopen(f"http://127.0.0.1:{server.port}{path}", timeout=5) as answer:
            return answer.status, answer.read()
    except urllib.error.HTTPError as error:
        return error.code, error.read()


def test_a_process_that_is_well_says_so(server: HealthServer) -> None:
    assert _get(server, "/livez")[0] == 200
    assert _get(server, "/readyz")[0] == 200
    assert _get(server, "/metrics") == (200, b"m 1\n")


def test_the_part_that_is_missing_is_named(server: HealthServer) -> None:
    server.parts_for_test["state"] = Health(False, "not restored: ingest/1")  # type: ignore[attr-defined]

    status, body = _get(server, "/readyz")

    assert status == 503
    assert json.loads(body)["parts"]["state"] == {"ok": False, "detail": "not restored: ingest/1"}
    assert _get(server, "/livez")[0] == 200


def test_another_path_says_which_there_are(server: HealthServer) -> None:
    assert _get(server, "/")[0] == 404


def test_a_port_in_use_is_named(server: HealthServer) -> None:
    with pytest.raises(Misconfigured, match=str(server.port)):
        HealthServer("127.0.0.1", server.port, alive=lambda: True, parts=dict, metrics=bytes)


def test_a_probe_that_hangs_up_is_one_quiet_line(capfd: pytest.CaptureFixture[str]) -> None:
    asked, gone = threading.Event(), threading.Event()

    def metrics() -> bytes:
        asked.set()
        gone.wait(10)
        return bytes(10_000_000)

    server = HealthServer("127.0.0.1", 0, alive=lambda: True, parts=dict, metrics=metrics)
    server.start()
    with logged() as lines:
        with socket.create_connection(("127.0.0.1", server.port)) as probe:
            probe.sendall(b"GET /metrics HTTP/1.0\r\n\r\n")
            asked.wait(10)
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        gone.set()
        assert wait_for(lambda: bool(lines), 10)
    server.stop()

    assert [(line["event"], line["log_level"]) for line in lines] == [("a probe hung up", "debug")]
    assert capfd.readouterr().err == ""
