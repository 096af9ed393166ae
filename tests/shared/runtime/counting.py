"""Two small services whose outputs show exactly what was counted, for the tests of the runtime."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import msgspec

from shared.errors import Poison, Transient
from shared.messages import (
    Command,
    CommandResult,
    Features,
    Metrics,
    ModelPublished,
    PipelineDefined,
    Prediction,
)
from shared.runtime import JobContext, Task
from shared.service import NOTHING, Batch, Job, JobResult, Step
from shared.topics import COMMAND_RESULTS, PREDICTIONS

AT = datetime(2026, 1, 1, tzinfo=UTC)


def event(number: int, entity: str | None = None, **values: Any) -> Features:
    """The features of event `number`."""
    return Features(
        pipeline="p",
        id=str(number),
        entity=entity or f"e{number % 7}",
        source="s",
        at=AT,
        values=values,
        raw={},
        origin=(0, number),
        definition="d",
    )


def pipeline(name: str) -> PipelineDefined:
    return PipelineDefined(pipeline=name, version=1, digest="", specification={}, at=AT, issued_by="test")


class Counter:
    """Runs as ``predictor``: answers each event with its number among those of its partition.

    An event with `values` {"poison": …} raises Poison after the count has moved; {"bug": …} a
    KeyError. `away` names events that raise Transient while the test keeps them in it.
    """

    def __init__(self, task: Task, away: set[str] | None = None) -> None:
        self.task = task
        self.away = away if away is not None else set()
        self.count = 0
        self.ticks = 0
        self.pipelines: list[str] = []

    def on_features(self, batch: Batch[Features], now: datetime) -> Step:
        answers = []
        for message, offset, trace in zip(batch.messages, batch.offsets, batch.traces, strict=True):
            self.count += 1
            if "poison" in message.values:
                raise Poison("this one is bad", reason="test")
            if "bug" in message.values:
                raise KeyError(message.id)
            if message.id in self.away:
                raise Transient(f"{message.id} cannot be answered now")
            answers.append(
                PREDICTIONS.of(
                    Prediction(
                        pipeline=message.pipeline,
                        id=message.id,
                        entity=message.entity,
                        at=message.at,
                        prediction=self.count,
                        model_version=f"{len(self.pipelines)}",
                        origin=(batch.partition, offset),
                    ),
                    trace=trace,
                )
            )
        return Step(answers)

    def on_pipelines(self, batch: Batch[PipelineDefined], now: datetime) -> Step:
        self.pipelines += [message.pipeline for message in batch.messages]
        return NOTHING

    def on_model_published(self, batch: Batch[ModelPublished], now: datetime) -> Step:
        return NOTHING

    def on_tick(self, now: datetime) -> Step:
        self.ticks += 1
        return NOTHING

    def on_job(self, result: JobResult, now: datetime) -> Step:
        return NOTHING

    def pending_jobs(self) -> list[Job]:
        return []

    def save(self) -> bytes:
        return msgspec.json.encode([self.count, self.ticks, self.pipelines])

    def restore(self, state: bytes) -> None:
        self.count, self.ticks, self.pipelines = msgspec.json.decode(state)


class Worker:
    """Runs as ``trainer``: each command is a job; its result says what the job returned."""

    def __init__(self, task: Task) -> None:
        self.pending: dict[str, Command] = {}

    def on_commands(self, batch: Batch[Command], now: datetime) -> Step:
        self.pending |= {command.id: command for command in batch.messages}
        return Step([], [_job(command) for command in batch.messages])

    def on_pipelines(self, batch: Batch[PipelineDefined], now: datetime) -> Step:
        return NOTHING

    def on_metrics(self, batch: Batch[Metrics], now: datetime) -> Step:
        return NOTHING

    def on_command_results(self, batch: Batch[CommandResult], now: datetime) -> Step:
        return NOTHING

    def on_tick(self, now: datetime) -> Step:
        return NOTHING

    def on_job(self, result: JobResult, now: datetime) -> Step:
        command = self.pending.pop(result.id)
        answer = CommandResult(
            command=command.id,
            pipeline=command.pipeline,
            state="failed" if result.error else "succeeded",
            at=now,
            service="trainer",
            detail=result.error or str((result.result or {}).get("answer")),
        )
        return Step([COMMAND_RESULTS.of(answer)])

    def pending_jobs(self) -> list[Job]:
        return [_job(command) for command in self.pending.values()]

    def save(self) -> bytes:
        return msgspec.json.encode(list(self.pending.values()))

    def restore(self, state: bytes) -> None:
        self.pending = {command.id: command for command in msgspec.json.decode(state, type=list[Command])}


def _job(command: Command) -> Job:
    timeout = float(str(command.arguments.get("timeout", 60.0)))
    return Job(command.id, command.arguments["job"], command.arguments, timeout)  # type: ignore[arg-type]


def order(name: str, job: str, **arguments: Any) -> Command:
    """A command that `Worker` answers by running the job of this name."""
    return Command(
        id=name,
        incident="",
        pipeline="p",
        action="retrain",
        arguments={"job": job, **arguments},
        reason="",
        issued_by="test",
        at=AT,
        deadline=AT,
    )


def double(arguments: dict[str, Any], context: JobContext) -> dict[str, Any]:
    return {"answer": 2 * arguments["number"]}


def fail(arguments: dict[str, Any], context: JobContext) -> dict[str, Any]:
    raise ValueError("no such number")


JOBS = {"double": double, "fail": fail}
