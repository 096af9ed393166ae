"""The stack's end of the loop: it obeys commands about services, and beats for the servers it runs."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime
from typing import Literal

import psutil

from homeostat.local.orders import Plan, plan_of
from homeostat.local.own_log import LOGGER, tell_safely
from homeostat.local.parts import Part
from homeostat.local.supervisor import Supervisor
from shared import codec
from shared.bus.base import Bus, NewRecord
from shared.clock import monotonic, utc_now
from shared.errors import HomeostatError, Poison
from shared.messages import Command, CommandResult, CommandState, Heartbeat
from shared.runtime.installation import topic_specs
from shared.settings import CommonSettings
from shared.topics import COMMAND_RESULTS, COMMANDS, SERVICES, TELEMETRY, Out

PING_SECONDS = 1.0
"""While the broker starts, asked anew often: a long question outlives its start."""

BEAT_SECONDS = 5.0
SERVERS = ("kafka", "redis", "mlflow")

_log = logging.getLogger(LOGGER)


@dataclass(slots=True)
class _Pending:
    """A command under way: `starts` is how often each part had been started when it came."""

    command: Command
    starts: dict[str, int]
    leaving: tuple[str, ...]


class Control:
    """Follows `commands` from when it starts, in a thread of its own, until it is closed.

    A command that came while no stack ran finds no result and expires where it was issued. `make`
    makes one more instance of a service. `tell` hears of what a person should know. A result is
    kept until Kafka has it; a command that cannot be carried out is answered `failed`.
    """

    def __init__(
        self,
        bus: Bus,
        settings: CommonSettings,
        supervisor: Supervisor,
        make: Callable[[str, int], Part],
        tell: Callable[[str], None] = lambda _: None,
    ) -> None:
        self._bus = bus
        self._settings = settings
        self._supervisor = supervisor
        self._make = make
        self._tell = tell
        self._started = utc_now()
        self._seen: set[str] = set()
        self._pending: list[_Pending] = []
        self._unsent: list[Out] = []
        self._ended = threading.Event()
        self._following = threading.Event()
        self._deaf = False
        self._thread = threading.Thread(target=self._run, name="control", daemon=True)

    def start(self) -> None:
        self._thread.start()

    def wait_until_following(self, seconds: float) -> bool:
        """Whether commands written from now on will be seen."""
        return self._following.wait(seconds)

    def close(self) -> None:
        self._ended.set()
        if self._thread.is_alive():
            self._thread.join(timeout=5)

    def _run(self) -> None:
        while not self._ended.is_set():
            try:
                self._follow()
            except HomeostatError as error:
                if self._following.is_set() and not self._deaf:
                    self._deaf = True
                    tell_safely(self._tell, f"commands about services are not heard for now: {error}")
                self._ended.wait(0.5)
            except Exception:  # noqa: BLE001 - ended in silence, this thread would leave every order unanswered
                _log.exception("commands about services are not heard for now")
                self._ended.wait(BEAT_SECONDS)

    def _follow(self) -> None:
        self._bus.ping(PING_SECONDS)
        self._bus.ensure_topics(topic_specs(self._settings), timeout=30)
        name = self._settings.full_name(COMMANDS.name)
        reader = self._bus.reader("supervisor")
        producer = self._bus.producer("supervisor")
        try:
            if not self._following.is_set():
                self._ends = reader.end_offsets(name)
            reader.follow({(name, partition): offset for partition, offset in self._ends.items()})
            self._following.set()
            beat_at = monotonic()
            while not self._ended.is_set():
                for record in reader.poll(100, 0.5):
                    self._ends[record.partition] = record.offset + 1
                    with suppress(Poison):
                        self._unsent += self._obey(codec.decode(COMMANDS, record.value), utc_now())
                self._unsent += self._finished(utc_now())
                beats: list[Out] = []
                if monotonic() >= beat_at:
                    beat_at = monotonic() + BEAT_SECONDS
                    beats = self._pulse(utc_now())
                if self._unsent or beats:
                    producer.send([self._record(each) for each in self._unsent + beats], timeout=30)
                    self._unsent = []
                if self._deaf:
                    self._deaf = False
                    tell_safely(self._tell, "commands about services are heard again")
        finally:
            reader.close()
            producer.close()

    def _record(self, out: Out) -> NewRecord:
        name = self._settings.full_name(out.topic.name)
        return NewRecord(name, out.topic.key(out.message).encode(), codec.encode(out.message))

    def _obey(self, command: Command, now: datetime) -> list[Out]:
        if command.id in self._seen:
            return []
        services = {*SERVICES, *SERVERS}
        running = {s: [(p.name, int(p.instance)) for p in self._supervisor.instances(s)] for s in services}
        running = {service: parts for service, parts in running.items() if parts}
        plan = plan_of(command, running, self._settings.data_partitions)
        if plan is None:
            return []
        self._seen.add(command.id)
        if plan.refusal:
            return [_result(command, "refused", plan.refusal, now)]
        if command.deadline <= now:
            return [_result(command, "expired", "its deadline had passed when it came", now)]
        try:
            self._carry_out(command, plan)
        except Exception as error:  # noqa: BLE001 - whoever ordered it is told, and the next order is obeyed
            _log.exception("command %s cannot be carried out", command.id)
            return [_result(command, "failed", f"cannot be carried out: {error}", now)]
        return [_result(command, "accepted", "", now)]

    def _carry_out(self, command: Command, plan: Plan) -> None:
        service = str(command.arguments["service"])
        added = [self._make(service, instance) for instance in plan.add]
        status = self._supervisor.status()
        starts = {name: status[name].starts for name in plan.restart} | {part.name: 0 for part in added}
        why = f"{command.action} ordered by {command.issued_by}, incident {command.incident}: {command.reason}"
        for name in plan.restart:
            self._supervisor.restart(name, why)
        for part in added:
            self._supervisor.add(part)
        for name in plan.remove:
            self._supervisor.remove(name, why)
        self._pending.append(_Pending(command, starts, plan.remove))

    def _finished(self, now: datetime) -> list[Out]:
        status = self._supervisor.status()
        out, pending = [], []
        for each in self._pending:
            started = all(
                name in status and status[name].starts > before and status[name].phase == "ready"
                for name, before in each.starts.items()
            )
            if started and not any(name in status for name in each.leaving):
                out.append(_result(each.command, "succeeded", "", now))
            elif now > each.command.deadline:
                out.append(_result(each.command, "failed", "not ready by the deadline", now))
            else:
                pending.append(each)
        self._pending = pending
        return out

    def _pulse(self, now: datetime) -> list[Out]:
        return [
            TELEMETRY.of(
                Heartbeat(
                    service=part.service,
                    instance=part.instance,
                    at=now,
                    started=self._started,
                    rss_bytes=_resident(part.child.pid),
                    state="draining" if state == "starting" else state,
                    starting=state == "starting",
                )
            )
            for service in SERVERS
            for part in self._supervisor.instances(service)
            if (state := self._state_of(part)) is not None
        ]

    def _state_of(self, part: Part) -> Literal["running", "starting", "down"] | None:
        """How a server is; None for a Kafka that does not answer: who reads this has one that does.

        One that still starts for the first time is not down: it left with the stack before, and is not back yet.
        To who knows no ``starting`` it is told as ``draining``: not there, and nothing is to be done about it.
        """
        if self._supervisor.is_ready(part.name):
            return "running"
        if part.service == "kafka":
            return None
        return "down" if self._supervisor.was_ready(part.name) else "starting"


def _result(command: Command, state: CommandState, detail: str, now: datetime) -> Out:
    return COMMAND_RESULTS.of(
        CommandResult(
            command=command.id, pipeline=command.pipeline, state=state, at=now, service="supervisor", detail=detail
        )
    )


def _resident(pid: int | None) -> int:
    """Bytes of the process and of those it started: MLflow answers from several."""
    try:
        parent = psutil.Process(pid) if pid else None
        return sum(
            int(each.memory_info().rss) for each in ([parent, *parent.children(recursive=True)] if parent else [])
        )
    except psutil.Error:
        return 0
