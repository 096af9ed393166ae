"""The runtime as processes on a real broker: killed, drained, poisoned, and with jobs that outlive it."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, TypeVar

import msgspec
import pytest

from shared import codec
from shared.bus import connect
from shared.bus.base import NewRecord
from shared.clock import monotonic
from shared.runtime.installation import topic_specs
from shared.settings import CommonSettings
from shared.topics import COMMAND_RESULTS, COMMANDS, DEAD_LETTERS, FEATURES, JOB_RESULTS, PREDICTIONS, STEPS, Topic
from tests.shared.runtime.counting import event, order
from tests.support.collector import attributes_of, collector

pytestmark = pytest.mark.kafka
M = TypeVar("M", bound=msgspec.Struct)

OUTPUTS = (PREDICTIONS, DEAD_LETTERS, COMMAND_RESULTS, JOB_RESULTS, STEPS)


class Stage:
    """An installation on the broker, and the processes that run in it."""

    def __init__(self, bootstrap: str, prefix: str, folder: Path, client: str) -> None:
        self.settings = CommonSettings(
            bootstrap_servers=bootstrap, data_dir=folder, topic_prefix=prefix, kafka_client=client, data_partitions=2
        )
        self.bus = connect(self.settings)
        self.bus.ensure_topics(topic_specs(self.settings), timeout=30.0)
        self.reader = self.bus.reader(prefix + "test")
        self.seen: dict[str, list[bytes]] = {}
        self.reader.follow(
            {(prefix + topic.name, at): 0 for topic in OUTPUTS for at in range(2 if topic.spread else 1)}
        )
        self.producer = self.bus.producer(prefix + "test")
        self.log = folder / "service.log"
        self.running: list[subprocess.Popen[bytes]] = []

    def start(self, service: str, **more: str) -> subprocess.Popen[bytes]:
        environment = os.environ | {
            **more,
            "KAFKA_BOOTSTRAP_SERVERS": self.settings.bootstrap_servers,
            "HOMEOSTAT_TOPIC_PREFIX": self.settings.topic_prefix,
            "HOMEOSTAT_KAFKA_CLIENT": self.settings.kafka_client,
            "HOMEOSTAT_DATA": str(self.settings.data_dir),
            "HOMEOSTAT_DATA_PARTITIONS": "2",
            "HOMEOSTAT_BATCH_RECORDS": "50",
            "HOMEOSTAT_SNAPSHOT_SECONDS": "1",
        }
        command = [sys.executable, "-m", "tests.shared.runtime.counting_process", service]
        with self.log.open("ab") as log:
            process = subprocess.Popen(command, env=environment, stderr=log, cwd=Path(__file__).parents[3])
        self.running.append(process)
        return process

    def put(self, topic: Topic[M], *messages: M) -> None:
        name = self.settings.full_name(topic.name)
        self.producer.send([NewRecord(name, topic.key(one).encode(), codec.encode(one)) for one in messages], 30.0)

    def put_bytes(self, topic: Topic[Any], value: bytes) -> None:
        self.producer.send([NewRecord(self.settings.full_name(topic.name), b"e1", value)], 30.0)

    def messages(self, topic: Topic[M]) -> list[M]:
        """The committed messages seen so far, in log order within each partition."""
        return [codec.decode(topic, value) for value in self.seen.get(self.settings.full_name(topic.name), [])]

    def count(self, topic: Topic[Any]) -> int:
        return len(self.seen.get(self.settings.full_name(topic.name), []))

    def wait(self, what: str, done: Callable[[], bool], seconds: float = 40.0) -> None:
        """Reads on until `done`, while all processes live."""
        deadline = monotonic() + seconds
        while not done():
            assert monotonic() < deadline, f"no {what} within {seconds:g} s:\n{self.log.read_text()[-4000:]}"
            for process in self.running:
                assert process.poll() is None, f"it ended: {process.returncode}\n{self.log.read_text()[-4000:]}"
            for record in self.reader.poll(1000, 0.1):
                self.seen.setdefault(record.topic, []).append(record.value)

    def kill(self, process: subprocess.Popen[bytes]) -> None:
        process.kill()
        process.wait(10)
        self.running.remove(process)

    def terminate(self, process: subprocess.Popen[bytes]) -> int:
        process.send_signal(signal.SIGTERM)
        self.running.remove(process)
        return process.wait(20)

    def close(self) -> None:
        for process in self.running:
            process.kill()
            process.wait(10)
        self.reader.close()
        self.producer.close()
        self.bus.close()


@pytest.fixture
def make_stage(kafka_bootstrap: str, topic_prefix: str, tmp_path: Path) -> Iterator[Callable[[str], Stage]]:
    made: list[Stage] = []

    def make(client: str) -> Stage:
        made.append(Stage(kafka_bootstrap, topic_prefix, tmp_path, client))
        return made[-1]

    yield make
    for stage in made:
        stage.close()


@pytest.mark.parametrize("client", ["confluent", "kafka-python"])
def test_a_service_killed_again_and_again_answers_every_event_once_and_keeps_count(
    make_stage: Callable[[str], Stage], client: str
) -> None:
    stage = make_stage(client)
    stage.put(FEATURES, *(event(number) for number in range(4000)))

    def answered(many: int) -> Callable[[], bool]:
        return lambda: stage.count(PREDICTIONS) >= many

    for share in (1, 1500, 3000):
        process = stage.start("predictor")
        stage.wait(f"{share} answers", answered(share))
        stage.kill(process)
    stage.start("predictor")
    stage.wait("4000 answers", answered(4000))

    answers = stage.messages(PREDICTIONS)
    counts: dict[int, list[object]] = {}
    for answer in answers:
        counts.setdefault(answer.origin[0], []).append(answer.prediction)
    assert sorted(int(answer.id) for answer in answers) == list(range(4000))
    assert all(numbers == list(range(1, len(numbers) + 1)) for numbers in counts.values())


@pytest.mark.parametrize("client", ["confluent", "kafka-python"])
def test_sigterm_ends_it_in_order_and_its_successor_goes_on_without_replay(
    make_stage: Callable[[str], Stage], client: str
) -> None:
    stage = make_stage(client)
    process = stage.start("predictor")
    stage.put(FEATURES, *(event(number) for number in range(500)))
    stage.wait("500 answers", lambda: stage.count(PREDICTIONS) == 500)

    status = stage.terminate(process)
    stage.start("predictor")
    stage.put(FEATURES, event(500, "e1"))
    stage.wait("the next answer", lambda: stage.count(PREDICTIONS) == 501)

    started = [line for line in stage.log.read_text().splitlines() if "task started" in line]
    assert status == 0
    assert [msgspec.json.decode(line)["replayed"] for line in started] == [0, 0, 0, 0]
    assert all(msgspec.json.decode(line)["step"] > 0 for line in started[2:])


def test_a_poisoned_record_becomes_one_dead_letter_with_its_bytes_and_the_rest_goes_on(
    make_stage: Callable[[str], Stage],
) -> None:
    stage = make_stage("confluent")
    stage.put(FEATURES, event(1, "e1"))
    stage.put_bytes(FEATURES, b"\xffnot json\x00")
    stage.put(FEATURES, event(2, "e1", poison=1), event(3, "e1"))

    stage.start("predictor")
    stage.wait("two answers", lambda: stage.count(PREDICTIONS) == 2)

    letters = stage.messages(DEAD_LETTERS)
    assert [(letter.reason, letter.offset, letter.id) for letter in letters] == [
        ("not-json", 1, None),
        ("test", 2, "2"),
    ]
    assert letters[0].value == b"\xffnot json\x00"
    assert letters[1].value == codec.encode(event(2, "e1", poison=1))
    assert [answer.id for answer in stage.messages(PREDICTIONS)] == ["1", "3"]


def test_a_job_that_was_running_at_the_kill_ends_once_and_its_result_outlives_the_next_kill(
    make_stage: Callable[[str], Stage],
) -> None:
    stage = make_stage("confluent")
    first = stage.start("trainer")
    stage.put(COMMANDS, order("c1", "slow_double", number=21, seconds=1.0))
    stage.wait("the job's start", lambda: "job started" in stage.log.read_text())
    stage.kill(first)

    second = stage.start("trainer")
    stage.wait("the job's result", lambda: stage.count(COMMAND_RESULTS) == 1)
    stage.kill(second)
    stage.start("trainer")
    stage.put(COMMANDS, order("c2", "double", number=4))
    stage.wait("the next result", lambda: stage.count(COMMAND_RESULTS) == 2)

    results = [(result.command, result.state, result.detail) for result in stage.messages(COMMAND_RESULTS)]
    assert results == [("c1", "succeeded", "42"), ("c2", "succeeded", "8")]
    assert stage.count(JOB_RESULTS) == 2


def test_a_service_that_is_given_a_collector_has_told_it_everything_when_it_ends(
    make_stage: Callable[[str], Stage],
) -> None:
    stage = make_stage("confluent")
    with collector() as taken:
        process = stage.start("predictor", OTEL_EXPORTER_OTLP_ENDPOINT=taken.url)
        stage.put(FEATURES, *(event(number) for number in range(100)))
        stage.wait("100 answers", lambda: stage.count(PREDICTIONS) >= 100)
        status = stage.terminate(process)

    topic = stage.settings.full_name(FEATURES.name)
    taken_in = [attributes_of(span)["messaging.batch.message_count"] for span in taken.spans(f"process {topic}")]
    assert (status, sum(taken_in)) == (0, 100)
    assert len(taken.spans("commit")) >= 1
