"""What the services lean on fails under load: Redis, MLflow, the disk. And what should never have been written."""

from __future__ import annotations

import json
import os
import signal
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import httpx
import pytest
from confluent_kafka import KafkaException, Message, Producer

from homeostat.local.waiting import wait_for
from shared.clock import monotonic
from tests.faults.checker import committed
from tests.faults.disks import small_disk
from tests.faults.scene import LONG, NAME, ON_A_STACK, Scene, laps
from tests.support.stack import Home, running_home

pytestmark = [*ON_A_STACK, pytest.mark.slow]


def test_redis_and_mlflow_paused_and_killed_hold_up_no_answer(scene: Scene) -> None:
    with scene.load():
        for _ in laps(30):
            began = monotonic()
            with _paused(scene.home, "redis"), _paused(scene.home, "mlflow"):
                scene.recovered("Redis and MLflow paused", began)
            began = monotonic()
            scene.home.stack.kill("redis")
            scene.home.stack.kill("mlflow")
            scene.recovered("Redis and MLflow killed", began)


@LONG
def test_services_killed_while_no_snapshot_can_be_kept_tell_their_journal_again(scene: Scene) -> None:
    with small_disk(scene.home.data / "state", "16k") as disk, scene.load():
        disk.fill()
        with _paused(scene.home, "redis"):
            for _ in laps(30):
                began = monotonic()
                for service in ("ingest", "predictor", "monitor"):
                    scene.home.stack.kill(service)
                scene.recovered("ingest, predictor and monitor killed, Redis paused, the snapshots' disk full", began)


POISON = (
    b"",
    b"\xff\xfe\x00",
    b"{",
    b"[1, 2]",
    b"null",
    b'{"pipeline": 7}',
    json.dumps({"pipeline": NAME, "id": "p-1", "entity": "R1", "values": {"nswprice": "much"}}).encode(),
    json.dumps({"pipeline": NAME, "id": "p-2", "entity": "R1", "values": {"x": "y" * 950_000}}).encode(),
)


def test_poison_and_oversized_records_become_one_dead_letter_each_and_stop_nothing(scene: Scene) -> None:
    with scene.load():
        places = [_written(scene, value) for value in POISON]
        with pytest.raises(KafkaException, match=r"(?i)large"):
            _written(scene, b"x" * 2_000_000)
        answer = httpx.post(
            f"{scene.home.url}/v1/pipelines/{NAME}/events",
            content=b"[" + b" " * 17 * 2**20 + b"]",
            headers=scene.home.headers,
            timeout=60,
        )
        assert answer.status_code == 413, answer.text
        scene.recovered("poison", monotonic())

    letters = committed(scene.kafka, scene.home.full_name("dead-letters"))
    counts = Counter((each["topic"], each["partition"], each["offset"]) for each in letters)
    assert [counts["raw-data", *place] for place in places] == [1] * len(POISON)


@LONG
def test_a_full_disk_under_kafka_refuses_and_then_takes_what_is_repeated(
    tmp_path_factory: pytest.TempPathFactory, record_property: Callable[[str, object], None]
) -> None:
    data = tmp_path_factory.mktemp("full")
    with small_disk(data / "kafka", "400m") as disk, running_home(data, KAFKA_BOOTSTRAP_SERVERS="") as home:
        scene = Scene.of(home)
        scene.told = lambda line: record_property("recovery", line)
        with scene.load() as sender:
            disk.fill(leaving=2**20)
            assert wait_for(lambda: home.stack.status["kafka"].phase != "ready", 120), "Kafka did not mind"
            repeats = sender.repeats
            assert wait_for(lambda: sender.repeats > repeats + 3, 60)
            disk.free()
            scene.recovered("Kafka's disk full, then freed", monotonic())


@contextmanager
def _paused(home: Home, part: str) -> Iterator[None]:
    """The part stands still inside, where it runs."""
    pid = home.stack.pid(part)
    if pid is None:
        yield
        return
    os.kill(pid, signal.SIGSTOP)
    try:
        yield
    finally:
        os.kill(pid, signal.SIGCONT)


def _written(scene: Scene, value: bytes) -> tuple[int, int]:
    """Where a record stands that was written past the gateway; `KafkaException` where Kafka refuses it."""
    told: list[Message] = []
    producer = Producer({"bootstrap.servers": scene.kafka, "message.max.bytes": 5_000_000})
    producer.produce(scene.home.full_name("raw-data"), value, b"R1", on_delivery=lambda _, record: told.append(record))
    producer.flush(30)
    (record,) = told
    if record.error() is not None:
        raise KafkaException(record.error())
    return record.partition() or 0, record.offset() or 0
