"""Predict: rows through the stream and back, once each, however often they are asked for."""

from __future__ import annotations

from pathlib import Path

import pytest

from shared.topics import MODEL_PUBLISHED, PIPELINES, RAW_DATA
from tests.services.gateway.answering import Answering
from tests.services.gateway.messages import defined, published
from tests.services.gateway.running import Running, running

PREDICT = "/v1/pipelines/elec2/predict"
EVENTS = "/v1/pipelines/elec2/events"
GOOD = {"nswprice": 0.5, "vicprice": 1.5}


@pytest.fixture
def gateway(gateway: Running) -> Running:
    """One whose pipeline has a live version."""
    gateway.put(MODEL_PUBLISHED, published())
    return gateway


def test_before_a_version_is_live_nothing_is_sent_for_an_id_keeps_its_answer(gateway: Running) -> None:
    gateway.put(PIPELINES, defined(name="shop"))

    answer = gateway.http.post("/v1/pipelines/shop/predict", json=GOOD | {"id": "r1"})

    assert (answer.status_code, answer.headers["Retry-After"]) == (503, "5")
    assert answer.json()["part"] == "model"
    assert "the first is trained at 500 rows" in answer.json()["detail"]
    assert gateway.written(RAW_DATA) == []


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


def test_a_row_that_breaks_the_schema_is_pointed_at_and_none_is_sent(gateway: Running) -> None:
    answer = gateway.http.post(PREDICT, json=[GOOD, GOOD | {"nswprice": "cheap"}])

    assert answer.status_code == 422
    assert [error["pointer"] for error in answer.json()["errors"]] == ["#/1/nswprice"]
    assert gateway.written(RAW_DATA) == []


def test_an_answer_that_does_not_come_in_time_is_said_to_be_on_its_way(gateway: Running) -> None:
    answer = gateway.http.post(PREDICT, json=GOOD | {"id": "slow"}, params={"timeout": 0.1})

    assert answer.status_code == 504
    assert answer.json()["missing"] == ["slow"]
    assert "will still appear at" in answer.json()["detail"]
    assert [record.id for record in gateway.written(RAW_DATA)] == ["slow"]


def test_a_row_that_was_sent_as_an_event_is_answered_with_its_prediction_and_counts_once(gateway: Running) -> None:
    with Answering(gateway):
        gateway.http.post(PREDICT, json=GOOD | {"id": "before"})
        gateway.http.post(EVENTS, json=GOOD | {"id": "r1"})
        gateway.http.post(PREDICT, json=GOOD | {"id": "after"})
        again = gateway.http.post(PREDICT, json=GOOD | {"id": "r1"})

    assert [(p["id"], p["prediction"]) for p in again.json()["predictions"]] == [("r1", 0.5)]
    assert [record.id for record in gateway.written(RAW_DATA)] == ["before", "r1", "after"]


def test_a_second_gateway_answers_a_repeated_row_from_the_log(gateway: Running, tmp_path: Path) -> None:
    with Answering(gateway):
        first = gateway.http.post(PREDICT, json=GOOD | {"id": "r1"}).json()

    with running(tmp_path, gateway.bus) as second:
        again = second.http.post(PREDICT, json=GOOD | {"id": "r1"})

    assert again.json() == first
    assert len(gateway.written(RAW_DATA)) == 1


def test_an_answer_whose_place_is_forgotten_is_searched_for_in_the_log(gateway: Running, tmp_path: Path) -> None:
    with Answering(gateway):
        first = gateway.http.post(PREDICT, json=GOOD | {"id": "r1"}).json()
        with running(tmp_path, gateway.bus, recent_records=0, patience_seconds=0.05) as second:
            again = second.http.post(PREDICT, json=GOOD | {"id": "r1"})

    assert again.json() == first


def test_another_row_under_an_answered_id_is_a_conflict_each_time_it_is_asked_for(gateway: Running) -> None:
    with Answering(gateway):
        gateway.http.post(PREDICT, json=GOOD | {"id": "r1"})
        other = [gateway.http.post(PREDICT, json=GOOD | {"id": "r1", "nswprice": 0.6}) for _ in range(2)]

    assert [answer.status_code for answer in other] == [409, 409]
    assert {answer.json()["errors"][0]["reason"] for answer in other} == {"id-conflict"}


def test_a_row_that_is_refused_among_others_is_told_in_its_place(gateway: Running) -> None:
    with Answering(gateway):
        gateway.http.post(PREDICT, json=GOOD | {"id": "r1"})
        answer = gateway.http.post(PREDICT, json=[GOOD | {"id": "r1", "nswprice": 0.6}, GOOD | {"id": "r2"}])

    assert answer.status_code == 200
    refused, good = answer.json()["predictions"]
    assert (refused["prediction"], refused["error"]["reason"]) == (None, "id-conflict")
    assert (good["id"], good["prediction"]) == ("r2", 0.5)


def test_two_rows_under_one_id_in_one_body_are_refused_and_none_is_sent(gateway: Running) -> None:
    answer = gateway.http.post(PREDICT, json=[GOOD | {"id": "r1"}, GOOD | {"id": "r1", "nswprice": 0.6}])

    assert answer.status_code == 422
    assert [error["pointer"] for error in answer.json()["errors"]] == ["#/1/id"]
    assert gateway.written(RAW_DATA) == []


def test_a_row_that_cannot_be_held_against_the_one_answered_is_told_so_at_once(
    gateway: Running, tmp_path: Path
) -> None:
    with Answering(gateway, features=False):
        gateway.http.post(PREDICT, json=GOOD | {"id": "r1"})

    with running(tmp_path, gateway.bus) as second:
        answer = second.http.post(PREDICT, json=GOOD | {"id": "r1"})

    assert answer.status_code == 409
    assert answer.json()["errors"][0]["reason"] == "answered-before"
    assert len(gateway.written(RAW_DATA)) == 1


def test_a_repeated_row_whose_answer_is_gone_is_told_so_once_ingest_has_gone_past_it(
    gateway: Running, tmp_path: Path
) -> None:
    around = [GOOD | {"id": f"r{number}"} for number in range(2, 20)]
    with Answering(gateway, forgotten={"r1"}), running(tmp_path, gateway.bus, patience_seconds=0.05) as second:
        gateway.http.post(EVENTS, json=[{**row, "id": f"before-{row['id']}"} for row in around])
        gateway.http.post(EVENTS, json=GOOD | {"id": "r1"})
        answer = second.http.post(PREDICT, json=[GOOD | {"id": "r1"}, *around])

    refused, *good = answer.json()["predictions"]
    assert refused["error"]["reason"] == "answered-before"
    assert [row["prediction"] for row in good] == [0.5] * len(around)


def test_a_repeated_row_that_brings_its_label_is_sent_for_the_label_alone(gateway: Running) -> None:
    with Answering(gateway):
        first = gateway.http.post(PREDICT, json=GOOD | {"id": "r1"}).json()
        again = gateway.http.post(PREDICT, json=GOOD | {"id": "r1", "up": True}).json()

    assert again == first
    assert [record.values.get("up") for record in gateway.written(RAW_DATA)] == [None, True]
