"""The remediator as a service: messages in, turns at the desk, commands and ledger entries out."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable
from datetime import datetime
from typing import Any, TypeVar

import msgspec
from pydantic import ValidationError

from services.remediator.core import upkeep
from services.remediator.core.acting import answered
from services.remediator.core.healing import heal
from services.remediator.core.intake import take_alert
from services.remediator.core.knowledge import Knowledge, measured, published, training_ordered
from services.remediator.core.policies import problems_in
from services.remediator.core.requests import take_request
from services.remediator.core.turn import State, Turn
from services.remediator.settings import RemediatorSettings
from shared.messages import (
    Alert,
    AuditEntry,
    Command,
    CommandResult,
    LogPosition,
    Metrics,
    ModelPublished,
    PipelineDefined,
    Request,
)
from shared.pipeline.specification import Policy, Specification
from shared.service import NOTHING, Batch, Job, JobResult, Step
from shared.topics import AUDIT, COMMANDS, Out

M = TypeVar("M", bound=msgspec.Struct)


class Remediator:
    """Decides and measures; it computes no statistic and carries out nothing itself."""

    def __init__(self, settings: RemediatorSettings) -> None:
        self._settings = settings
        self._state = State()
        self._specifications: dict[str, Specification] = {}

    def on_pipelines(self, batch: Batch[PipelineDefined], now: datetime) -> Step:
        return self._each(batch, now, self._defined)

    def on_alerts(self, batch: Batch[Alert], now: datetime) -> Step:
        return self._each(batch, now, take_alert)

    def on_metrics(self, batch: Batch[Metrics], now: datetime) -> Step:
        def learn(turn: Turn, message: Metrics) -> None:
            turn.learn(measured(turn.known(message.pipeline), message))
            upkeep.begin(turn, message.pipeline)

        return self._each(batch, now, learn)

    def on_command_results(self, batch: Batch[CommandResult], now: datetime) -> Step:
        def take(turn: Turn, message: CommandResult) -> None:
            answered(turn, message)

        return self._each(batch, now, take)

    def on_model_published(self, batch: Batch[ModelPublished], now: datetime) -> Step:
        return self._each(batch, now, _took_stage)

    def on_requests(self, batch: Batch[Request], now: datetime) -> Step:
        return self._each(batch, now, take_request)

    def on_tick(self, now: datetime) -> Step:
        turn = self._turn(now)
        for pipeline in sorted({incident.pipeline for incident in self._state.incidents.values()}):
            heal(turn, pipeline)
        return _step(turn.said)

    def on_job(self, result: JobResult, now: datetime) -> Step:
        return NOTHING

    def pending_jobs(self) -> list[Job]:
        return []

    def save(self) -> bytes:
        return msgspec.msgpack.encode(self._state)

    def restore(self, state: bytes) -> None:
        self._state = msgspec.msgpack.decode(state, type=State)
        self._specifications = {
            known.pipeline: Specification.model_validate(known.specification)
            for known in self._state.knowledge.values()
            if known.specification is not None
        }

    def gauges(self) -> dict[tuple[str, tuple[tuple[str, str], ...]], float]:
        """`homeostat_incidents_open` of each pipeline."""
        open_now = Counter(i.pipeline for i in self._state.incidents.values() if i.open)
        pipelines = sorted({*self._state.knowledge, *open_now})
        return {("homeostat_incidents_open", (("pipeline", name),)): float(open_now[name]) for name in pipelines}

    def _each(self, batch: Batch[M], now: datetime, take: Callable[[Turn, M], None]) -> Step:
        said: list[Command | AuditEntry] = []
        for offset, message in zip(batch.offsets, batch.messages, strict=True):
            turn = self._turn(now, (LogPosition(topic=batch.topic, partition=batch.partition, offset=offset),))
            take(turn, message)
            heal(turn, message.pipeline)  # type: ignore[attr-defined]
            said += turn.said
        return _step(said)

    def _turn(self, now: datetime, refs: tuple[LogPosition, ...] = ()) -> Turn:
        return Turn(
            state=self._state,
            limits=self._settings.limits,
            defaults=self._settings.policies,
            specification=self._specifications.get,
            own_policies=self._own_policies,
            now=now,
            refs=refs,
        )

    def _own_policies(self, pipeline: str) -> tuple[Policy, ...]:
        return tuple(p for p in self._specifications[pipeline].policies if not problems_in(p))

    def _defined(self, turn: Turn, message: PipelineDefined) -> None:
        known = turn.known(message.pipeline)
        body: dict[str, Any] = {"version": message.version, "digest": message.digest, "issued_by": message.issued_by}
        if message.removed:
            self._specifications.pop(message.pipeline, None)
            turn.learn(Knowledge(pipeline=message.pipeline))
            turn.record("pipeline_defined", message.pipeline, f"removed by {message.issued_by}", **body)
            return
        try:
            specification = Specification.model_validate(message.specification)
        except ValidationError as error:
            turn.record("pipeline_defined", message.pipeline, f"not taken: {error.error_count()} faults", **body)
            return
        if known.specification is not None and known.specification.get("kind") != specification.kind:
            known = Knowledge(pipeline=message.pipeline)
        self._specifications[message.pipeline] = specification
        turn.learn(
            msgspec.structs.replace(known, specification=message.specification, specification_version=message.version)
        )
        problems = [problem for policy in specification.policies for problem in problems_in(policy)]
        said = "; ".join(problems) or f"version {message.version} by {message.issued_by}"
        turn.record("pipeline_defined", message.pipeline, said, problems=problems, **body)


def _took_stage(turn: Turn, message: ModelPublished) -> None:
    incident = turn.state.incidents.get(turn.state.commands.get(message.command or "", ""))
    action = next((a.name for a in incident.actions if a.command == message.command), "") if incident else ""
    first = turn.known(message.pipeline).live is None
    turn.learn(published(turn.known(message.pipeline), message, action))
    if first and turn.known(message.pipeline).live is not None:
        turn.learn(training_ordered(turn.known(message.pipeline), turn.now))
    said = f"version {message.version} is {message.stage}: {message.reason or 'no reason given'}"
    turn.record(
        "model_published", message.pipeline, said, message.incident or "",
        version=message.version, stage=message.stage, weight=message.weight,
        previous=message.previous, command=message.command, sha256=message.artifact.sha256,
    )  # fmt: skip


def _step(said: Iterable[Command | AuditEntry]) -> Step:
    messages: list[Out] = [COMMANDS.of(word) if isinstance(word, Command) else AUDIT.of(word) for word in said]
    return Step(messages=messages)
