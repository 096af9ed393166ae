"""What people ask for: orders, decisions, pipelines."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from shared.topics import AUDIT, MODEL_PUBLISHED, PIPELINES, REQUESTS
from tests.services.gateway.messages import DOCUMENT, audit, published
from tests.services.gateway.running import Running, running


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


@pytest.mark.parametrize("answered", ["approved", "rejected"])
def test_an_answered_incident_waits_for_nothing_more(gateway: Running, answered: str) -> None:
    gateway.put(AUDIT, *(audit(n, kind, "x") for n, kind in enumerate(["incident_opened", "awaiting_approval"])))
    gateway.put(AUDIT, audit(2, answered, "by a person"))

    state = gateway.http.get("/v1/incidents/incident-1").json()["state"]
    again = [gateway.http.post(f"/v1/incidents/incident-1/{verdict}") for verdict in ("approve", "reject")]

    assert state == {"approved": "acting", "rejected": "escalated"}[answered]
    assert [answer.status_code for answer in again] == [409, 409]
    assert gateway.written(REQUESTS) == []


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
