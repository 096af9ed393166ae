"""Server-sent events: live, and taken up again without a gap or a repeat."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx
import pytest

from shared.topics import ALERTS, AUDIT, METRICS, PIPELINES, PREDICTIONS
from tests.services.gateway.messages import alert, audit, defined, metrics, prediction
from tests.services.gateway.running import Running, running

Event = dict[str, Any]


@contextmanager
def listening(gateway: Running, path: str, last: str | None = None) -> Iterator[Iterator[Event]]:
    """The stream's events; entered once the stream stands and its first id has come."""
    headers = {"Last-Event-ID": last} if last else {}
    with gateway.http.stream("GET", path, headers=headers) as answer:
        assert answer.status_code == 200, answer.read()
        events = parsed(answer)
        assert "event" not in next(events)
        yield events


def parsed(answer: httpx.Response) -> Iterator[Event]:
    event: Event = {}
    for line in answer.iter_lines():
        name, _, value = line.partition(": ")
        if not line and event:
            yield event
            event = {}
        elif name == "data":
            event["data"] = json.loads(value)
        elif name in ("id", "event"):
            event[name] = value


def take(events: Iterator[Event], count: int) -> list[Event]:
    return [next(events) for _ in range(count)]


def test_alerts_come_as_they_are_raised_with_their_place_in_the_log(gateway: Running) -> None:
    with listening(gateway, "/v1/alerts/stream") as events:
        gateway.put(ALERTS, alert(), alert("resolved"))

        first, second = take(events, 2)

    assert (first["event"], first["data"]["state"], first["data"]["offset"]) == ("alert", "firing", 0)
    assert (second["data"]["state"], second["id"]) == ("resolved", "alerts/0:2")


def test_a_stream_taken_up_again_has_no_gap_and_no_repeat(gateway: Running) -> None:
    with listening(gateway, "/v1/pipelines/elec2/predictions/stream") as events:
        gateway.put(PREDICTIONS, *(prediction(f"a{n}") for n in range(20)))
        seen = take(events, 7)
    gateway.put(PREDICTIONS, *(prediction(f"b{n}") for n in range(20)))

    with listening(gateway, "/v1/pipelines/elec2/predictions/stream", seen[-1]["id"]) as events:
        gateway.put(PREDICTIONS, *(prediction(f"c{n}") for n in range(20)))
        seen += take(events, 53)

    expected = {f"{part}{n}" for part in "abc" for n in range(20)}
    assert {event["data"]["id"] for event in seen} == expected
    assert len(seen) == len(expected)


def test_a_client_cut_off_before_its_first_event_loses_nothing(gateway: Running) -> None:
    with gateway.http.stream("GET", "/v1/alerts/stream") as answer:
        first_id = next(parsed(answer))["id"]
    gateway.put(ALERTS, alert())

    with listening(gateway, "/v1/alerts/stream", first_id) as events:
        assert next(events)["data"]["id"] == "alert-1"


def test_a_client_that_is_ahead_of_a_gateway_still_reading_the_log_gets_no_repeat(gateway: Running) -> None:
    with listening(gateway, "/v1/alerts/stream", "alerts/0:2") as events:
        gateway.put(ALERTS, *(alert(id=f"alert-{n}") for n in range(3)))

        assert next(events)["data"]["id"] == "alert-2"


def test_a_client_slower_than_its_buffer_still_gets_every_event_once(tmp_path: Path) -> None:
    with running(tmp_path, stream_buffer=5) as gateway:
        gateway.put(PIPELINES, defined())
        with listening(gateway, "/v1/pipelines/elec2/predictions/stream") as events:
            gateway.put(PREDICTIONS, *(prediction(f"{n}") for n in range(500)))

            ids = [event["data"]["id"] for event in take(events, 500)]

    assert sorted(ids, key=int) == [str(n) for n in range(500)]


def test_a_stream_of_one_pipeline_is_silent_about_others(gateway: Running) -> None:
    with listening(gateway, "/v1/pipelines/elec2/metrics/stream") as events:
        gateway.put(METRICS, metrics(0, {"accuracy": 0.1}, pipeline="other"), metrics(0, {"accuracy": 0.9}))

        assert next(events)["data"]["values"] == {"accuracy": 0.9}


def test_incidents_stream_the_steps_that_the_ledger_takes_down(gateway: Running) -> None:
    with listening(gateway, "/v1/incidents/stream") as events:
        gateway.put(
            AUDIT, audit(0, "pipeline_defined", "not an incident", incident=""), audit(1, "incident_opened", "x")
        )

        event = next(events)

    assert (event["event"], event["data"]["kind"], event["data"]["incident"]) == (
        "incident",
        "incident_opened",
        "incident-1",
    )


@pytest.mark.parametrize("bad", ["garbage", "alerts/0", "alerts/x:1", "metrics/0:5", "alerts/0:-1"])
def test_an_id_of_no_such_stream_is_refused(gateway: Running, bad: str) -> None:
    answer = gateway.http.get("/v1/alerts/stream", headers={"Last-Event-ID": bad})

    assert answer.status_code == 400
    assert answer.json()["type"].endswith("bad-event-id")


def test_more_streams_than_the_limit_are_told_to_come_again(tmp_path: Path) -> None:
    with running(tmp_path, streams=1) as gateway, listening(gateway, "/v1/alerts/stream"):
        answer = gateway.http.get("/v1/alerts/stream")

    assert answer.status_code == 429
    assert answer.headers["retry-after"] == "5"


def test_when_the_gateway_ends_its_streams_end_in_order_and_at_once(tmp_path: Path) -> None:
    with running(tmp_path) as gateway:
        gateway.put(ALERTS, *(alert(id=f"alert-{n}") for n in range(3)))
        with (
            listening(gateway, "/v1/alerts/stream") as idle,
            listening(gateway, "/v1/alerts/stream", "alerts/0:0") as behind,
        ):
            take(behind, 3)
            gateway.server.should_exit = True

            left = [*idle, *behind]  # a stream that is cut off in the middle raises

    assert left == []
    assert not gateway.thread.is_alive()
