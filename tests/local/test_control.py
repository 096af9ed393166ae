from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path

import pytest

from homeostat.local.control import Control
from homeostat.local.guard import Guard
from homeostat.local.parts import Part
from homeostat.local.supervisor import Supervisor
from homeostat.local.waiting import wait_for
from shared import codec
from shared.bus.base import NewRecord, Position
from shared.bus.memory import MemoryBus, MemoryProducer
from shared.clock import utc_now
from shared.errors import Transient
from shared.messages import ActionName, Command, CommandResult, Heartbeat
from shared.settings import CommonSettings
from shared.topics import COMMAND_RESULTS, COMMANDS, TELEMETRY, Topic
from tests.local.programs import part

MOST = 2  # instances that `make` has room for beside the first


class StumblingBus(MemoryBus):
    """`failures` are raised in turn by its producers, instead of sending; `absences`, when it is asked for."""

    def __init__(self) -> None:
        super().__init__()
        self.failures: list[Exception] = []
        self.absences: list[Exception] = []

    def ping(self, timeout: float) -> None:
        if self.absences:
            raise self.absences.pop()

    def producer(self, client: str) -> StumblingProducer:
        return StumblingProducer(self)


class StumblingProducer(MemoryProducer):
    def __init__(self, bus: StumblingBus) -> None:
        super().__init__(bus)
        self._failures = bus.failures

    def send(self, records: Sequence[NewRecord], timeout: float) -> list[Position]:
        if self._failures and any(record.topic == "p." + COMMAND_RESULTS.name for record in records):
            raise self._failures.pop()
        return super().send(records, timeout)


@dataclass
class Installation:
    """A control over one `ingest` and one `kafka`, and the log they talk over."""

    bus: StumblingBus
    supervisor: Supervisor
    made: list[str]
    told: list[str]

    def order(self, action: ActionName, ident: str = "c-1", seconds: float = 30, **arguments: object) -> None:
        now = utc_now()
        command = Command(
            id=ident,
            incident="i",
            pipeline="_system",
            action=action,
            arguments=arguments,
            reason="test",
            issued_by="policy:test@1",
            at=now,
            deadline=now + timedelta(seconds=seconds),
        )
        self.bus.producer("test").send([NewRecord("p." + COMMANDS.name, b"_system", codec.encode(command))], 5)

    def results(self) -> list[CommandResult]:
        return [message for message in self._all(COMMAND_RESULTS) if isinstance(message, CommandResult)]

    def beats(self) -> list[Heartbeat]:
        return [message for message in self._all(TELEMETRY) if isinstance(message, Heartbeat)]

    def states(self, ident: str = "c-1") -> list[str]:
        return [result.state for result in self.results() if result.command == ident]

    def _all(self, topic: Topic[object]) -> list[object]:  # type: ignore[type-var]
        reader, name = self.bus.reader("test"), "p." + topic.name
        end = reader.end_offsets(name)[0]
        chunks = list(reader.read(name, 0, 0, end)) if end else []
        return [codec.decode(topic, record.value) for chunk in chunks for record in chunk]


@pytest.fixture
def installation(tmp_path: Path, guard: Guard) -> Iterator[Installation]:
    bus, made = StumblingBus(), []
    told: list[str] = []
    late = part("mlflow", tmp_path, guard, awaited=False)
    late.ready = lambda: False
    parts = [part("kafka", tmp_path, guard), part("ingest", tmp_path, guard), late]
    supervisor = Supervisor(parts, lambda _: None)

    def make(service: str, instance: int) -> Part:
        if instance > MOST:
            raise RuntimeError("no room for more")
        made.append(f"{service}-{instance}")
        new = part(made[-1], tmp_path, guard, service=service)
        new.instance = str(instance)
        return new

    settings = CommonSettings(bootstrap_servers="memory", data_dir=tmp_path, topic_prefix="p.")

    def tell(what: str) -> None:
        told.append(what)
        raise BrokenPipeError(what)

    control = Control(bus, settings, supervisor, make, tell)
    supervisor.start()
    supervisor.wait_until_ready(10)
    control.start()
    assert control.wait_until_following(10)
    yield Installation(bus, supervisor, made, told)
    control.close()
    supervisor.stop()


def test_a_restart_is_done_when_the_new_process_is_ready(installation: Installation) -> None:
    before = installation.supervisor.pid("ingest")

    installation.order("restart_service", service="ingest")

    assert wait_for(lambda: installation.states()[-1:] == ["succeeded"], 20)
    assert installation.states() == ["accepted", "succeeded"]
    assert installation.supervisor.pid("ingest") != before
    assert installation.results()[0].service == "supervisor"


def test_the_same_command_twice_acts_once(installation: Installation) -> None:
    installation.order("restart_service", service="ingest")
    installation.order("restart_service", service="ingest")
    installation.order("restart_service", "c-2", service="ingest")

    assert wait_for(lambda: installation.states("c-2")[-1:] == ["succeeded"], 20)
    assert installation.states("c-1").count("accepted") == 1


def test_scaling_adds_instances_and_takes_them_away_again(installation: Installation) -> None:
    installation.order("scale_service", "up", service="ingest", replicas=3)
    assert wait_for(lambda: installation.states("up")[-1:] == ["succeeded"], 20)
    assert installation.made == ["ingest-1", "ingest-2"]

    installation.order("scale_service", "down", service="ingest", replicas=1)

    assert wait_for(lambda: installation.states("down")[-1:] == ["succeeded"], 20)
    assert set(installation.supervisor.status()) == {"kafka", "ingest", "mlflow"}


def test_what_cannot_be_done_is_refused_and_what_is_late_expires(installation: Installation) -> None:
    installation.order("restart_service", "unknown", service="postgres")
    installation.order("restart_service", "late", seconds=-1, service="ingest")

    assert wait_for(lambda: installation.states("late") == ["expired"], 20)
    assert installation.states("unknown") == ["refused"]


def test_a_result_that_kafka_did_not_take_is_sent_again(installation: Installation) -> None:
    installation.bus.failures += [Transient("the broker is away")] * 2

    installation.order("restart_service", service="ingest")

    assert wait_for(lambda: installation.states()[-1:] == ["succeeded"], 20)
    assert installation.states() == ["accepted", "succeeded"]
    assert installation.bus.failures == []


def test_of_an_outage_its_begin_and_its_end_are_told_and_nothing_between(installation: Installation) -> None:
    installation.bus.failures.append(Transient("no broker answers"))
    installation.bus.absences += [Transient("no broker answers yet")] * 2
    installation.order("restart_service", service="ingest")

    assert wait_for(lambda: len(installation.told) > 1, 20)
    assert installation.told == [
        "commands about services are not heard for now: no broker answers",
        "commands about services are heard again",
    ]


def test_a_command_that_cannot_be_carried_out_is_answered_and_the_next_is_obeyed(installation: Installation) -> None:
    installation.order("scale_service", "hopeless", service="ingest", replicas=4)
    installation.order("restart_service", "next", service="ingest")

    assert wait_for(lambda: installation.states("next")[-1:] == ["succeeded"], 20)
    (answer,) = installation.results()[:1]
    assert (answer.command, answer.state) == ("hopeless", "failed")
    assert "no room" in answer.detail


def test_servers_that_have_started_beat_others_are_not_expected_yet_and_services_beat_for_themselves(
    installation: Installation,
) -> None:
    assert wait_for(lambda: len(installation.beats()) > 1, 10)

    beats = {beat.service: beat for beat in installation.beats()}
    states = {name: (beat.state, beat.starting) for name, beat in beats.items()}
    assert states == {"kafka": ("running", False), "mlflow": ("draining", True)}
    assert beats["kafka"].rss_bytes > 0
