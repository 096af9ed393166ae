"""The Open Inference Protocol through the gateway, with the predictor's own endpoint behind it."""

from __future__ import annotations

import json
import struct
from collections.abc import Iterator
from pathlib import Path

import pytest

from services.predictor.server import Server
from tests.services.gateway.running import Running, running
from tests.services.predictor.talking import SETTINGS, board_of, constant, endpoint, x_request


@pytest.fixture
def gateway(tmp_path: Path) -> Iterator[Running]:
    server = Server(endpoint(board_of(constant(7))), SETTINGS)
    server.start()
    with running(tmp_path, predictor_url=f"http://127.0.0.1:{server.port}") as gateway:
        yield gateway
    server.stop()


def test_the_predictors_answer_comes_back_as_it_is(gateway: Running) -> None:
    answer = gateway.http.post("/v2/models/demo/infer", json=x_request(1.0, 2.0, id="r-1"))

    assert (answer.status_code, answer.headers["content-type"]) == (200, "application/json")
    assert (answer.json()["id"], answer.json()["model_version"]) == ("r-1", "7")
    assert answer.json()["outputs"][0]["data"] == [7.0, 7.0]


def test_bytes_come_back_with_the_header_that_says_where_they_begin(gateway: Running) -> None:
    tensor = {"name": "x", "datatype": "FP64", "shape": [2], "parameters": {"binary_data_size": 16}}
    head = json.dumps({"inputs": [tensor], "parameters": {"binary_data_output": True}}).encode()
    headers = {"Inference-Header-Content-Length": str(len(head)), "Content-Type": "application/octet-stream"}

    answer = gateway.http.post("/v2/models/demo/infer", content=head + struct.pack("<2d", 1.0, 2.0), headers=headers)

    begin = int(answer.headers["inference-header-content-length"])
    assert struct.unpack("<2d", answer.content[begin : begin + 16]) == (7.0, 7.0)


def test_what_the_predictor_refuses_is_refused_in_its_words(gateway: Running) -> None:
    unknown = gateway.http.get("/v2/models/no%20such%2Fone/ready")
    wrong = gateway.http.post("/v2/models/demo/infer", json={"inputs": []})

    assert (unknown.status_code, wrong.status_code) == (404, 400)
    assert "no such" in unknown.json()["error"]
    assert "inputs" in wrong.json()["error"]


def test_a_predictor_that_was_away_is_asked_again_at_the_next_request(tmp_path: Path) -> None:
    first = Server(endpoint(board_of(constant(7))), SETTINGS)
    first.start()
    port = first.port
    with running(tmp_path, predictor_url=f"http://127.0.0.1:{port}") as gateway:
        before = gateway.http.get("/v2/health/live").status_code
        first.stop()
        away = gateway.http.get("/v2/health/live").status_code
        second = Server(endpoint(board_of(constant(7))), type(SETTINGS)(port=port))
        second.start()
        after = gateway.http.get("/v2/health/live").status_code
        second.stop()

    assert (before, away, after) == (200, 503, 200)
