"""What people and programs ask for: predictions, orders, pipelines."""

from __future__ import annotations

import threading
from pathlib import Path
from typing import Any

import msgspec
import pytest

from shared.messages import DeadLetter, RawRecord
from shared.topics import AUDIT, DEAD_LETTERS, MODEL_PUBLISHED, PIPELINES, PREDICTIONS, RAW_DATA, REQUESTS
from tests.services.gateway.messages import DOCUMENT, audit, prediction, published
from tests.services.gateway.running import PREFIX, Running, running

PREDICT = "/v1/pipelines/elec2/predict"
GOOD = {"nswprice": 0.5, "vicprice": 1.5}


class Answering:
    """Answers every event on the log as ingest and predictor would, in a thread, until closed."""

    def __init__(self, gateway: Running) -> None:
        self._gateway = gateway
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)

    def __enter__(self) -> Answering:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        self._thread.join(5)

    def _run(self) -> None:
        reader = self._gateway.bus.reader("answering")
        topic, seen = PREFIX + RAW_DATA.name, set()
        reader.follow({(topic, p): 0 for p in reader.begin_offsets(topic)})
        while not self._stop.is_set():
            for record in reader.poll(100, 0.05):
                event = msgspec.json.decode(record.value, type=RawRecord)
                if event.id not in seen:
                    seen.add(event.id)
                    self._answer(event)

    def _answer(self, event: RawRecord) -> None:
        if event.values.get("vicprice") == -1:
            letter = DeadLetter(
                topic="raw-data",
                partition=0,
                offset=0,
                reason="id-conflict",
                detail="another row has this id",
                value=b"",
                pipeline=event.pipeline,
                id=event.id,
            )
            self._gateway.put(DEAD_LETTERS, letter)
        else:
            self._gateway.put(PREDICTIONS, prediction(event.id, event.values["nswprice"]))


def test_rows_are_answered_in_their_order_through_the_stream(gateway: Running) -> None:
    rows = [GOOD | {"id": f"r{n}", "nswprice": n / 10} for n in range(20)]

    with Answering(gateway):
        answer = gateway.http.post(PREDICT, json=rows)

    assert answer.status_code == 200
    found = answer.json()["predictions"]
    assert [p["id"] for p in found] == [f"r{n}" for n in range(20)]
    assert [p["prediction"] for p in found] == [n / 10 for n in range(20)]
    assert {p["model_version"] for p in found} == {"1"}


def test_the_same_row_under_the_same_id_is_answered_as_before(gateway: Running) -> None:
    with Answering(gateway):
        first = gateway.http.post(PREDICT, json=GOOD | {"id": "r1"}).json()
        again = gateway.http.post(PREDICT, json=GOOD | {"id": "r1"}).json()

    assert first == again
    assert len(gateway.written(RAW_DATA)) == 1


def test_a_row_without_an_id_is_a_new_event_each_time(gateway: Running) -> None:
    with Answering(gateway):
        first = gateway.http.post(PREDICT, json=GOOD).json()["predictions"][0]
        again = gateway.http.post(PREDICT, json=GOOD).json()["predictions"][0]

    assert first["id"] != again["id"]
    assert first["prediction"] == again["prediction"] == 0.5


def test_a_row_that_ingest_refuses_is_answered_with_its_reason(gateway: Running) -> None:
    with Answering(gateway):
        (found,) = gateway.http.post(PREDICT, json=GOOD | {"id": "r", "vicprice": -1}).json()["predictions"]

    assert found["prediction"] is None
    assert found["error"]["reason"] == "id-conflict"


def test_a_row_that_breaks_the_schema_is_pointed_at_and_none_is_sent(gateway: Running) -> None:
    answer = gateway.http.post(PREDICT, json=[GOOD, GOOD | {"nswprice": "cheap"}])

    assert answer.status_code == 422
    assert [error["pointer"] for error in answer.json()["errors"]] == ["#/1/nswprice"]
    assert gateway.written(RAW_DATA) == []


def test_an_answer_that_does_not_come_in_time_is_said_to_be_on_its_way(gateway: Running) -> None:
    answer = gateway.http.post(PREDICT, json=GOOD | {"id": "slow"}, params={"timeout": 0.1})

    assert answer.status_code == 504
    assert answer.json()["missing"] == ["slow"]
    assert "will still be answered at" in answer.json()["detail"]
    assert [record.id for record in gateway.written(RAW_DATA)] == ["slow"]


@pytest.mark.parametrize(
    ("path", "body", "action", "arguments"),
    [
        ("retrain", {"reason": "it looks stale"}, "retrain", {}),
        ("rollback", {"to_version": "1"}, "rollback", {"to_version": "1"}),
        ("promote", {"version": "1", "force": True}, "promote", {"version": "1", "force": True}),
        ("hold", None, "hold", {}),
        ("release-hold", None, "release_hold", {}),
    ],
)
def test_an_order_becomes_a_request_of_that_person(
    gateway: Running, path: str, body: Any, action: str, arguments: dict[str, Any]
) -> None:
    gateway.put(MODEL_PUBLISHED, published("1"))

    answer = gateway.http.post(f"/v1/pipelines/elec2/{path}", json=body)

    assert answer.status_code == 202
    (request,) = gateway.written(REQUESTS)
    assert (request.id, request.action, request.issued_by) == (answer.json()["request"], action, "person:tester")
    assert request.arguments == arguments


def test_the_same_idempotency_key_asks_once(gateway: Running) -> None:
    key = {"Idempotency-Key": "k1"}

    first = gateway.http.post("/v1/pipelines/elec2/hold", headers=key).json()["request"]
    again = gateway.http.post("/v1/pipelines/elec2/hold", headers=key).json()["request"]
    other = gateway.http.post("/v1/pipelines/elec2/hold", headers={"Idempotency-Key": "k2"}).json()["request"]

    assert first == again != other


@pytest.mark.parametrize("verdict", ["approve", "reject", "acknowledge"])
def test_a_decision_on_an_incident_becomes_a_request_that_names_it(gateway: Running, verdict: str) -> None:
    gateway.put(AUDIT, audit(0, "incident_opened", "x"), audit(1, "awaiting_approval", "x"))

    answer = gateway.http.post(f"/v1/incidents/incident-1/{verdict}", json={"reason": "looks right"})

    assert answer.status_code == 202
    (request,) = gateway.written(REQUESTS)
    assert (request.action, request.incident, request.reason) == (verdict, "incident-1", "looks right")


def test_a_closed_incident_takes_no_decision(gateway: Running) -> None:
    gateway.put(AUDIT, audit(0, "incident_opened", "x"), audit(1, "incident_resolved", "x"))

    answer = gateway.http.post("/v1/incidents/incident-1/approve")

    assert answer.status_code == 409
    assert gateway.written(REQUESTS) == []


def test_a_pipeline_is_made_changed_and_removed_each_a_version_on_the_log(tmp_path: Path) -> None:
    with running(tmp_path) as gateway:
        made = gateway.http.post("/v1/pipelines", json=DOCUMENT)
        same = gateway.http.put("/v1/pipelines/elec2", json=DOCUMENT)
        changed = gateway.http.put("/v1/pipelines/elec2", json=DOCUMENT | {"about": "another"})
        taken = gateway.http.post("/v1/pipelines", json=DOCUMENT | {"about": "a third"})
        removed = gateway.http.delete("/v1/pipelines/elec2")
        gone = gateway.http.get("/v1/pipelines/elec2")
        back = gateway.http.put("/v1/pipelines/elec2", json=DOCUMENT)

        statuses = [answer.status_code for answer in (made, same, changed, taken, removed, gone, back)]
        versions = [(record.version, record.removed) for record in gateway.written(PIPELINES)]

    assert statuses == [201, 200, 200, 409, 204, 404, 201]
    assert [answer.json()["version"] for answer in (made, same, changed, back)] == [1, 1, 2, 4]
    assert versions == [(1, False), (2, False), (3, True), (4, False)]


def test_the_name_in_the_path_and_in_the_document_must_agree(gateway: Running) -> None:
    answer = gateway.http.put("/v1/pipelines/other", json=DOCUMENT)

    assert answer.status_code == 422
    assert answer.json()["errors"][0]["pointer"] == "#/name"


def test_a_second_gateway_over_the_same_log_shows_the_same(gateway: Running, tmp_path: Path) -> None:
    gateway.http.put("/v1/pipelines/elec2", json=DOCUMENT | {"about": "changed"})
    shown = gateway.http.get("/v1/pipelines/elec2").json()

    with running(tmp_path, gateway.bus) as second:
        assert second.http.get("/v1/pipelines/elec2").json() == shown
