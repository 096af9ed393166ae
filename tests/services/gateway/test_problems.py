"""Refusals: what is wrong, where, and what to do."""

from __future__ import annotations

from pathlib import Path

import pytest

from services.gateway.disk import LOW_BYTES, nearly_full, told
from shared.bus.memory import MemoryBus
from shared.errors import Transient
from shared.topics import MODEL_PUBLISHED, REQUESTS
from tests.services.gateway.messages import published
from tests.services.gateway.running import Running, new_bus, running

PROBLEM = "application/problem+json"


def test_a_path_that_is_not_there_says_where_to_look(gateway: Running) -> None:
    answer = gateway.http.get("/v1/nothing")

    assert (answer.status_code, answer.headers["content-type"]) == (404, PROBLEM)
    assert "/openapi.json" in answer.json()["detail"]


@pytest.mark.parametrize(
    "path",
    [
        "/v1/pipelines/none",
        "/v1/pipelines/none/metrics",
        "/v1/pipelines/none/models",
        "/v1/pipelines/elec2/models/9",
        "/v1/incidents/none",
        "/v1/subscriptions/none",
    ],
)
def test_what_does_not_exist_is_named(gateway: Running, path: str) -> None:
    answer = gateway.http.get(path)

    assert (answer.status_code, answer.headers["content-type"]) == (404, PROBLEM)
    assert path.rsplit("/", 1)[-1] in answer.json()["detail"] or "none" in answer.json()["detail"]


def test_a_method_that_is_not_taken_names_those_that_are(gateway: Running) -> None:
    answer = gateway.http.delete("/v1/alerts")

    assert (answer.status_code, answer.headers["content-type"]) == (405, PROBLEM)
    assert "GET" in answer.json()["detail"]


def test_a_wrong_parameter_is_pointed_at(gateway: Running) -> None:
    answer = gateway.http.get("/v1/alerts", params={"limit": "many"})

    assert (answer.status_code, answer.headers["content-type"]) == (422, PROBLEM)
    assert answer.json()["errors"][0]["parameter"] == "limit"


def test_a_wrong_field_of_a_body_is_pointed_at(gateway: Running) -> None:
    answer = gateway.http.post("/v1/pipelines/elec2/promote", json={"version": 3, "colour": "red"})

    assert answer.status_code == 422
    assert {error["pointer"] for error in answer.json()["errors"]} == {"#/version", "#/colour"}


def test_what_is_no_json_says_where_it_ends_to_be(gateway: Running) -> None:
    answer = gateway.http.post("/v1/pipelines", content="not yaml: [", headers={"content-type": "application/json"})

    assert (answer.status_code, answer.json()["type"].rsplit("/", 1)[-1]) == (400, "not-json")
    assert answer.json()["detail"] == "the body is not JSON: Expecting value at character 0, counted from 0"


@pytest.mark.parametrize(("body", "pointer"), [({"up": True}, "#/nswprice"), ([{"up": True}], "#/0/nswprice")])
@pytest.mark.parametrize("path", ["events", "predict"])
def test_a_pointer_leads_to_the_field_in_the_body_that_was_sent(
    gateway: Running, path: str, body: object, pointer: str
) -> None:
    gateway.put(MODEL_PUBLISHED, published())

    (error,) = gateway.http.post(f"/v1/pipelines/elec2/{path}", json=body).json()["errors"]

    assert error["pointer"] == pointer


def test_a_full_disk_is_told_where_kafka_cannot_write(tmp_path: Path) -> None:
    assert told(tmp_path, LOW_BYTES - 1) == f". The disk of {tmp_path} has 255 MiB free: free some space"
    assert told(tmp_path, LOW_BYTES) == ""
    assert nearly_full(tmp_path / "not there") == ""


def test_every_fault_of_a_specification_is_pointed_at(gateway: Running) -> None:
    document = {"name": "p", "kind": "binary", "schema": {"x": {"type": "numbr"}}, "target": "x", "modles": {}}

    answer = gateway.http.post("/v1/pipelines", json=document)

    assert answer.status_code == 422
    assert {"#/schema/x/type", "#/modles"} <= {error["pointer"] for error in answer.json()["errors"]}


def test_a_body_over_the_limit_is_refused_before_it_is_read(tmp_path: Path) -> None:
    with running(tmp_path, body_bytes=1000) as gateway:
        stated = gateway.http.post("/v1/pipelines", content=b"x" * 1001)
        streamed = gateway.http.post("/v1/pipelines", content=(b"x" * 100 for _ in range(11)))

        for answer in (stated, streamed):
            assert (answer.status_code, answer.headers["content-type"]) == (413, PROBLEM)
            assert "1000 bytes" in answer.json()["detail"]


class AwayBus(MemoryBus):
    """A log whose producers find no broker."""

    def producer(self, client_id: str) -> AwayBus:  # type: ignore[override]
        return self

    def send(self, records: object, timeout: float) -> list[object]:
        raise Transient("no broker at 127.0.0.1:9092 answers")

    def close(self) -> None:
        """Nothing is held."""


def test_when_kafka_is_away_nothing_is_accepted_and_the_missing_part_is_named(tmp_path: Path) -> None:
    bus = new_bus(tmp_path, AwayBus)
    with running(tmp_path, bus) as gateway:
        answer = gateway.http.post(
            "/v1/pipelines", json={"name": "p", "kind": "anomaly", "schema": {"x": {"type": "number"}}}
        )

    assert (answer.status_code, answer.headers["content-type"]) == (503, PROBLEM)
    assert answer.json()["part"] == "kafka"
    assert "127.0.0.1:9092" in answer.json()["detail"]
    assert "retry-after" in answer.headers


def test_when_the_predictor_is_away_v2_says_so_in_its_own_form(gateway: Running) -> None:
    answer = gateway.http.post("/v2/models/elec2/infer", json={"inputs": []})

    assert answer.status_code == 503
    assert list(answer.json()) == ["error"]
    assert "predictor" in answer.json()["error"]


@pytest.mark.parametrize("kind", ["application/x-www-form-urlencoded", None])
@pytest.mark.parametrize("path", ["/v1/pipelines/elec2/hold", "/v1/pipelines/elec2/release-hold"])
def test_a_body_as_curl_sends_it_is_json(gateway: Running, path: str, kind: str | None) -> None:
    headers = {} if kind is None else {"Content-Type": kind}

    answer = gateway.http.post(path, content=b'{"reason": "a holiday"}', headers=headers)

    assert answer.status_code == 202, answer.text
    assert gateway.written(REQUESTS)[-1].reason == "a holiday"


def test_a_body_of_another_kind_is_refused_by_that_name(gateway: Running) -> None:
    answer = gateway.http.post(
        "/v1/pipelines/elec2/hold", content=b'{"reason": "x"}', headers={"Content-Type": "text/plain"}
    )

    assert answer.status_code == 422
    assert "its Content-Type is 'text/plain'; send it as application/json" in answer.json()["detail"]


@pytest.mark.parametrize(
    ("path", "body", "told"),
    [
        (
            "/v1/subscriptions",
            {"url": "https://example.com/", "filters": {"severity": ["critical"]}},
            "#/filters/severity: unknown name 'severity'; did you mean `severities`? "
            "There are events, kinds, pipelines, severities",
        ),
        ("/v1/pipelines/elec2/hold", {"why": "x"}, "#/why: unknown name 'why'; there is reason"),
    ],
)
def test_an_unknown_name_in_a_body_is_told_with_those_there_are(
    gateway: Running, path: str, body: dict[str, object], told: str
) -> None:
    answer = gateway.http.post(path, json=body)

    assert (answer.status_code, answer.json()["detail"]) == (422, told)


@pytest.mark.parametrize(("name", "hint"), [("elce2", "; did you mean `elec2`?"), ("nothing-like-it", ";")])
def test_a_pipeline_that_is_not_there_is_told_with_the_one_that_may_be_meant(
    gateway: Running, name: str, hint: str
) -> None:
    answer = gateway.http.get(f"/v1/pipelines/{name}")

    told = f"there is no pipeline '{name}'{hint} GET /v1/pipelines lists those there are"
    assert (answer.status_code, answer.json()["detail"]) == (404, told)
