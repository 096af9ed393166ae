"""The endpoint over HTTP: conformance, versions, errors."""

from __future__ import annotations

import asyncio
from typing import Any

import httpx
import numpy as np
import pytest

from services.predictor.board import Board
from services.predictor.core.oip.tensors import binary_data
from services.predictor.rest import Endpoint
from shared.models.artifact import ModelCache
from shared.models.store import MemoryStore
from shared.telemetry.metrics import Meters
from tests.services.predictor.talking import (
    SETTINGS,
    STORE,
    board_of,
    call,
    client_of,
    constant,
    endpoint,
    linear,
    unlogged,
    x_request,
)
from tests.support.models import KEY, NAMES, rows


def test_the_server_tells_its_name_its_extensions_and_its_health() -> None:
    board = board_of()

    about = call(board, "GET", "/v2").json()
    assert about["name"] == "homeostat-predictor"
    assert about["extensions"] == ["binary_tensor_data"]
    assert call(board, "GET", "/v2/health/live").json() == {"live": True}
    assert call(board, "GET", "/v2/health/ready").json() == {"ready": True, "live": True}


def test_the_server_is_not_ready_before_a_task_has_been_at_work() -> None:
    response = call(Board(), "GET", "/v2/health/ready")

    assert (response.status_code, response.json()["ready"]) == (503, False)


def test_calls_and_predictions_are_counted_by_pattern_and_version_never_by_name() -> None:
    meters = Meters()
    app = Endpoint(board_of(constant(7)), ModelCache(STORE, KEY), SETTINGS, unlogged, meters)

    async def talk() -> None:
        async with client_of(app) as client:
            await client.post("/v2/models/demo/infer", json=x_request(1.0, 2.0))
            await client.get("/v2/models/nobody-knows/ready")
            await client.get("/v2/health/live")
            await client.get("/etc/passwd")

    asyncio.run(talk())

    text = meters.text().decode()
    infer = 'route="/v2/models/{pipeline}/infer",service="predictor",status="200"'
    assert f"homeostat_rest_requests_total{{{infer}}} 1.0" in text
    assert 'homeostat_predictions_total{model_version="7",pipeline="demo",service="predictor"} 2.0' in text
    assert 'route="/v2/models/{pipeline}/ready",service="predictor",status="404"' in text
    assert 'route="/v2/health/live"' in text
    assert 'route="none"' in text
    assert "nobody-knows" not in text


def test_model_metadata_names_inputs_outputs_and_live_versions() -> None:
    found = call(board_of(linear()), "GET", "/v2/models/demo").json()

    assert found["name"] == "demo"
    assert found["versions"] == ["7"]
    assert [(item["name"], item["datatype"], item["shape"]) for item in found["inputs"]] == [
        ("load", "FP64", [-1]),
        ("price", "FP64", [-1]),
        ("region", "BYTES", [-1]),
    ]
    assert [(item["name"], item["shape"]) for item in found["outputs"]] == [
        ("prediction", [-1]),
        ("score", [-1]),
        ("probabilities", [-1, 2]),
    ]


@pytest.mark.parametrize(
    ("path", "status"),
    [
        ("/v2/models/demo/ready", 200),
        ("/v2/models/demo/versions/1/ready", 200),
        ("/v2/models/demo/versions/9/ready", 503),
        ("/v2/models/new/ready", 503),
        ("/v2/models/other/ready", 404),
    ],
)
def test_a_model_is_ready_when_it_answers(path: str, status: int) -> None:
    assert call(board_of(constant(1)), "GET", path).status_code == status


def test_an_answer_is_that_of_the_model_and_gives_the_id_back() -> None:
    some = rows(20)
    inputs = [
        {"name": name, "datatype": kind, "shape": [20], "data": [row[name] for row in some]}
        for name, kind in zip(NAMES, ("FP64", "FP64", "BYTES"), strict=True)
    ]
    publication = linear()
    expected = ModelCache(STORE, KEY).get(publication.artifact).answer(some)

    answer = call(board_of(publication), "POST", "/v2/models/demo/infer", json={"inputs": inputs, "id": "42"}).json()

    prediction, score, _ = answer["outputs"]
    assert (answer["model_name"], answer["model_version"], answer["id"]) == ("demo", "7", "42")
    assert answer["parameters"] == {"model_version": "7", "request_id": "42", "role": "champion"}
    assert prediction["data"] == expected.predictions
    assert score["data"] == pytest.approx(expected.scores)


def test_a_request_without_an_id_gets_one() -> None:
    answer = call(board_of(constant(1)), "POST", "/v2/models/demo/infer", json=x_request(1.0)).json()

    assert answer["id"].startswith("request-")
    assert answer["id"] == answer["parameters"]["request_id"]


def test_the_binary_extension_there_and_back() -> None:
    data = binary_data("FP32", [1.0, 2.0])
    head = (
        b'{"parameters": {"binary_data_output": true}, "inputs": [{"name": "x", "datatype": "FP32",'
        b' "shape": [2, 1], "parameters": {"binary_data_size": 8}}]}'
    )

    response = call(
        board_of(constant(3)),
        "POST",
        "/v2/models/demo/infer",
        content=head + data,
        headers={"Inference-Header-Content-Length": str(len(head))},
    )

    length = int(response.headers["inference-header-content-length"])
    assert response.headers["content-type"] == "application/octet-stream"
    assert np.frombuffer(response.content[length:]).tolist() == [3.0, 3.0]


def test_a_version_in_the_path_answers_whatever_its_role() -> None:
    board = board_of(constant(1), constant(2, stage="shadow"), constant(3, stage="canary", weight=0.0))

    for version, role in (("1", "champion"), ("2", "shadow"), ("3", "canary")):
        answer = call(board, "POST", f"/v2/models/demo/versions/{version}/infer", json=x_request(1.0)).json()
        assert answer["outputs"][0]["data"] == [float(version)]
        assert answer["parameters"]["role"] == role


def test_the_same_entity_gets_the_same_version() -> None:
    board = board_of(constant(1), constant(2, stage="canary", weight=0.5))

    def versions(entity: str) -> set[str]:
        body = x_request(1.0, parameters={"entity": entity})
        return {call(board, "POST", "/v2/models/demo/infer", json=body).json()["model_version"] for _ in range(5)}

    answered = [versions(f"e{number}") for number in range(20)]
    assert all(len(one) == 1 for one in answered)
    assert {"1"} in answered
    assert {"2"} in answered


@pytest.mark.parametrize(
    ("method", "path", "content", "status", "words"),
    [
        ("GET", "/v3", b"", 404, "nothing at"),
        ("GET", "/v2/models", b"", 404, "nothing at"),
        ("GET", "/v2/models/../../etc/passwd/ready", b"", 404, "nothing at"),
        ("GET", "/v2/models/%2e%2e%2fetc", b"", 404, "nothing at"),
        ("GET", "/v2/models/other", b"", 404, "no pipeline 'other'"),
        ("GET", "/v2/models/demo/versions/9", b"", 404, "live: 1"),
        ("POST", "/v2/models/demo/versions/9/infer", b'{"inputs":[]}', 400, "`inputs` is empty"),
        (
            "POST",
            "/v2/models/other/infer",
            b'{"inputs":[{"name":"x","shape":[0],"datatype":"FP64","data":[]}]}',
            404,
            "no",
        ),
        (
            "POST",
            "/v2/models/new/infer",
            b'{"inputs":[{"name":"x","shape":[0],"datatype":"FP64","data":[]}]}',
            503,
            "no live",
        ),
        ("POST", "/v2/models/demo/infer", b"{", 400, "not JSON"),
        ("POST", "/v2/models/demo/infer", b" " * 20_001, 413, "larger than 20000 bytes"),
        ("GET", "/v2/models/demo/infer", b"", 405, "use POST"),
        ("DELETE", "/v2/models/demo", b"", 405, "use GET"),
    ],
)
def test_errors_are_the_protocols_own(method: str, path: str, content: bytes, status: int, words: str) -> None:
    response = call(board_of(constant(1)), method, path, content=content)

    assert response.status_code == status
    assert list(response.json()) == ["error"]
    assert words in response.json()["error"]


def test_a_body_that_hides_its_length_is_cut_off_at_the_limit() -> None:
    sent = 0

    async def endless() -> Any:
        nonlocal sent
        for _ in range(100):
            sent += 1000
            yield b" " * 1000

    async def talk() -> httpx.Response:
        async with client_of(endpoint(board_of(constant(1)))) as client:
            return await client.post("/v2/models/demo/infer", content=endless())

    assert asyncio.run(talk()).status_code == 413
    assert sent < 30_000


def test_a_body_that_says_it_is_too_large_is_not_read() -> None:
    read = 0

    async def body() -> Any:
        nonlocal read
        read += 1
        yield b" " * 100

    async def talk() -> httpx.Response:
        async with client_of(endpoint(board_of(constant(1)))) as client:
            length = {"Content-Length": "100000"}
            return await client.post("/v2/models/demo/infer", content=body(), headers=length)

    assert asyncio.run(talk()).status_code == 413
    assert read == 0


def test_a_compressed_body_and_a_bad_header_length_are_refused() -> None:
    board = board_of(constant(1))

    compressed = call(board, "POST", "/v2/models/demo/infer", content=b"", headers={"Content-Encoding": "gzip"})
    lengths = [
        call(board, "POST", "/v2/models/demo/infer", content=b"", headers={"Inference-Header-Content-Length": text})
        for text in ("-1", "x", "9" * 13)
    ]

    assert compressed.status_code == 415
    assert [response.status_code for response in lengths] == [400, 400, 400]


def test_a_damaged_artefact_answers_503_on_rest() -> None:
    publication = constant(1)
    store = MemoryStore()

    async def talk() -> httpx.Response:
        async with client_of(Endpoint(board_of(publication), ModelCache(store, KEY), SETTINGS, unlogged)) as client:
            return await client.post("/v2/models/demo/infer", json=x_request(1.0))

    assert asyncio.run(talk()).status_code == 503
