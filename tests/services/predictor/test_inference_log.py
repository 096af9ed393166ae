"""What the endpoint answers stands on `inferences`, or is not answered."""

from __future__ import annotations

import asyncio
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import Any

import httpx
import pytest

from homeostat.local.waiting import wait_for
from services.predictor.core.answer import Answer
from services.predictor.core.oip.logged import ROOM, Asked, inferences_of
from services.predictor.inference_log import InferenceLog
from services.predictor.rest import TakeForLog
from shared.bus import connect
from shared.bus.base import TopicSpec
from shared.bus.memory import MemoryBus
from shared.codec import decode, encode
from shared.errors import Poison, Transient
from shared.messages import Inference
from shared.settings import CommonSettings, common_settings
from shared.topics import INFERENCES
from tests.services.predictor.talking import board_of, client_of, constant, endpoint, x_request
from tests.support.logs import logged

ASKED = Asked("r-1", "demo", "7", "champion", None, datetime(2026, 1, 1, tzinfo=UTC))


def settings_for(bootstrap: str, prefix: str = "") -> CommonSettings:
    return common_settings({"KAFKA_BOOTSTRAP_SERVERS": bootstrap, "HOMEOSTAT_TOPIC_PREFIX": prefix})


@contextmanager
def started(settings: CommonSettings, **limits: Any) -> Iterator[InferenceLog]:
    log = InferenceLog(lambda: connect(settings), settings.full_name, **limits)
    log.start()
    yield log
    log.stop()


def answers_to(log: TakeForLog, *bodies: dict[str, Any]) -> list[httpx.Response]:
    async def talk() -> list[httpx.Response]:
        async with client_of(endpoint(board_of(constant(7)), log)) as client:
            return [await client.post("/v2/models/demo/infer", json=body) for body in bodies]

    return asyncio.run(talk())


def logged_in(settings: CommonSettings) -> list[Inference]:
    topic, bus = settings.full_name(INFERENCES.name), connect(settings)
    reader = bus.reader("test")
    ends = reader.written_offsets(topic)
    found = [
        decode(INFERENCES, record.value)
        for partition, end in ends.items()
        for part in reader.read(topic, partition, 0, end)
        for record in part
    ]
    reader.close()
    bus.close()
    return sorted(found, key=lambda one: one.id)


@pytest.mark.kafka
def test_each_request_and_its_answer_stand_on_kafka_once_the_endpoint_has_stopped(
    kafka_bootstrap: str, topic_prefix: str
) -> None:
    settings = settings_for(kafka_bootstrap, topic_prefix)
    connect(settings).ensure_topics([TopicSpec(settings.full_name(INFERENCES.name), 2, 1, {})], timeout=30)

    with started(settings) as log:
        told = answers_to(
            log.take, x_request(1.0, 2.0, id="a", parameters={"entity": "customer"}), x_request(3.0, id="b"), {}
        )

    first, second = logged_in(settings)
    assert [answer.status_code for answer in told] == [200, 200, 400]
    assert (first.id, first.pipeline, first.model_version, first.role) == ("a", "demo", "7", "champion")
    assert (first.rows, first.entity) == (({"x": 1.0}, {"x": 2.0}), "customer")
    assert list(first.predictions) == told[0].json()["outputs"][0]["data"]
    assert (second.id, second.rows) == ("b", ({"x": 3.0},))


def test_what_is_taken_before_the_stop_is_written_however_late_the_log_gets_to_it() -> None:
    bus, gate = MemoryBus(), threading.Event()
    bus.ensure_topics([TopicSpec(INFERENCES.name, 1, 1, {})], 1)

    def late() -> MemoryBus:
        gate.wait(10)
        return bus

    log = InferenceLog(late, str)
    log.start()
    answers_to(log.take, x_request(1.0, id="a"))
    stopping = threading.Thread(target=log.stop)
    stopping.start()
    stopping.join(0.2)
    gate.set()
    stopping.join(10)

    assert len(bus.records(INFERENCES.name)) == 1


def test_what_cannot_be_logged_is_not_answered_and_at_the_end_it_is_said_what_was_lost() -> None:
    with socket.socket() as nobody:
        nobody.bind(("127.0.0.1", 0))
        settings = settings_for(f"127.0.0.1:{nobody.getsockname()[1]}")
        with logged() as lines, started(settings, most_bytes=100, send_seconds=0.5) as log:
            first, second = answers_to(log.take, x_request(1.0), x_request(2.0))

    assert first.status_code == 200
    assert (second.status_code, second.headers["retry-after"]) == (503, "1")
    assert "Kafka does not take the log of answers" in second.json()["error"]
    assert [line["requests"] for line in lines if "not logged" in line["event"]] == [1]


def test_a_request_too_large_for_one_record_is_several_in_order() -> None:
    rows = [{"text": "x" * 1000, "n": n} for n in range(2000)]
    answers = [Answer(prediction=n, score=n / 2000) for n in range(2000)]

    found = inferences_of(ASKED, rows, answers, 2_000_000)

    assert len(found) > 1
    assert all(len(encode(one)) <= ROOM for one in found)
    assert [row for one in found for row in one.rows] == rows
    assert [value for one in found for value in one.predictions] == list(range(2000))
    assert [one.first_row for one in found] == [sum(len(o.rows) for o in found[:n]) for n in range(len(found))]


def test_a_row_that_no_record_has_room_for_is_named() -> None:
    rows = [{"text": "x"}, {"text": "x" * 1_000_000}]

    with pytest.raises(Poison, match="row 1 takes 10"):
        inferences_of(ASKED, rows, [Answer(1.0), Answer(2.0)], 1_000_100)


@pytest.mark.parametrize("failure", [Transient("Kafka is away"), RuntimeError("of the client's own")])
def test_a_log_that_cannot_connect_at_first_writes_what_it_takes_once_it_can(failure: Exception) -> None:
    bus, failures = MemoryBus(), [failure]
    bus.ensure_topics([TopicSpec(INFERENCES.name, 1, 1, {})], 1)

    def connected() -> MemoryBus:
        if failures:
            raise failures.pop()
        return bus

    log = InferenceLog(connected, str)
    log.start()
    answers_to(log.take, x_request(1.0, id="a"))
    assert wait_for(lambda: not failures, 10)
    answers_to(log.take, x_request(2.0, id="b"))
    log.stop()

    written = [decode(INFERENCES, record.value).id for record in bus.records(INFERENCES.name)]
    assert written == (["a", "b"] if isinstance(failure, Transient) else ["b"])
