"""Ingest as a service: raw records in, features, labels and dead letters out. One task per partition."""

from __future__ import annotations

import shlex
from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Final

import msgspec

from services.ingest.core.archiving import Archiving
from services.ingest.core.intake import Arrival, Intake, Outcome
from services.ingest.core.quarantine import RefusedError, subject_of
from services.ingest.core.state import (
    SavedState,
    new_intake,
    newest,
    packed,
    restored_intake,
    revised,
    saved_intake,
    unpacked,
)
from services.ingest.core.waiting import Waiting, WaitingRoom
from services.ingest.settings import IngestSettings
from shared.codec import encode
from shared.identity import stable_id
from shared.messages import Command, CommandResult, DeadLetter, Features, Label, PipelineDefined, RawRecord
from shared.pipeline.check import checked
from shared.pipeline.problems import Problem
from shared.service import Batch, Job, JobResult, Step
from shared.topics import COMMAND_RESULTS, DEAD_LETTERS, FEATURES, LABELS, PIPELINES, RAW_DATA, Out

ANSWERING_TASK: Final = 0
"""Every task obeys commands and reads specifications; this partition's task answers for all."""


class Ingest:
    """Each event gives one features record, in order, or a dead letter that says why not.

    The target's value never enters `values` or `raw`: it becomes a label. Rows whose pipeline is not
    known wait for its specification a few seconds before they are refused.
    """

    def __init__(self, partition: int | None, settings: IngestSettings) -> None:
        self._partition = partition or 0
        self._settings = settings
        self._bounds = settings.bounds
        self._pipelines: dict[str, Intake] = {}
        self._commands: list[str] = []
        self._waiting = WaitingRoom(settings.unknown_wait_rows, settings.unknown_wait_seconds)
        self._archive = Archiving(settings.archive_rows, timedelta(seconds=settings.archive_seconds))

    def on_raw_data(self, batch: Batch[RawRecord], now: datetime) -> Step:
        records, partition = batch.messages, batch.partition
        values = batch.values or [encode(record) for record in records]
        traces = batch.traces or [None] * len(records)
        rows = [
            Waiting(record=record, partition=partition, offset=offset, value=value, trace=trace, since=now)
            for record, offset, value, trace in zip(records, batch.offsets, values, traces, strict=True)
        ]
        self._archive.rows += len(rows)
        return Step(self._taken(rows, now))

    def on_pipelines(self, batch: Batch[PipelineDefined], now: datetime) -> Step:
        out: list[Out] = []
        for index, message in enumerate(batch.messages):
            if message.removed:
                self._pipelines.pop(message.pipeline, None)
                continue
            problems = self._define(message)
            if problems and self._partition == ANSWERING_TASK:
                value = batch.values[index] if batch.values else encode(message)
                at = (PIPELINES.name, batch.partition, batch.offsets[index])
                out.append(DEAD_LETTERS.of(_refused_definition(message, problems, at, value, now)))
            out += self._taken(self._waiting.known(message.pipeline), now) if not problems else []
        return Step(out)

    def on_commands(self, batch: Batch[Command], now: datetime) -> Step:
        results = [
            self._obey(command, now)
            for command in batch.messages
            if command.action in ("quarantine_source", "release_source") and command.id not in self._commands
        ]
        return Step([COMMAND_RESULTS.of(each) for each in results] if self._partition == ANSWERING_TASK else [])

    def on_tick(self, now: datetime) -> Step:
        letters = [self._unknown(row, now) for row in self._waiting.in_vain(now)]
        if not self._archive.is_due(now):
            return Step(letters)
        self._archive.begin(now)
        return Step(letters, self.pending_jobs())

    def on_job(self, result: JobResult, now: datetime) -> Step:
        """Segments are files beside the log: nothing to tell, and a failed run is made up for by the next."""
        self._archive.end()
        return Step()

    def pending_jobs(self) -> list[Job]:
        if not self._archive.running:
            return []
        job_id = stable_id("archive", self._partition, self._archive.runs)
        arguments = {"partition": self._partition, "retention_seconds": self._retention()}
        return [Job(job_id, "archive", arguments, self._settings.archive_timeout_seconds)]

    def gauges(self) -> dict[tuple[str, tuple[tuple[str, str], ...]], float]:
        """What was dropped without a dead letter."""
        found: dict[tuple[str, tuple[tuple[str, str], ...]], float] = {}
        for name, intake in self._pipelines.items():
            labels = (("pipeline", name), ("partition", str(self._partition)))
            found["homeostat_repeated_rows_total", labels] = intake.counts.repeated
            found["homeostat_unknown_fields_total", labels] = intake.counts.extra_fields
        return found

    def intake(self, pipeline: str) -> Intake | None:
        """A pipeline as this task works it, for a driver that hands it columns; None where it is not known."""
        return self._pipelines.get(pipeline)

    def save(self) -> bytes:
        archive = self._archive
        return packed(
            SavedState(
                pipelines={name: saved_intake(intake) for name, intake in self._pipelines.items()},
                commands=self._commands,
                waiting=self._waiting.rows,
                archive=(archive.runs, archive.rows, archive.since, archive.running),
            )
        )

    def restore(self, state: bytes) -> None:
        saved = unpacked(state)
        self._pipelines = {name: restored_intake(each, self._bounds) for name, each in saved.pipelines.items()}
        self._commands = list(saved.commands)
        self._waiting.rows = list(saved.waiting)
        archive = self._archive
        archive.runs, archive.rows, archive.since, archive.running = saved.archive

    def _taken(self, rows: Sequence[Waiting], now: datetime) -> list[Out]:
        """What the rows become, in their order; features are computed for each pipeline's rows at once."""
        out: list[list[Out]] = [[] for _ in rows]
        of_pipeline: dict[str, list[int]] = {}
        for index, row in enumerate(rows):
            if row.record.pipeline in self._pipelines:
                of_pipeline.setdefault(row.record.pipeline, []).append(index)
            elif not self._waiting.admit(row):
                out[index].append(self._unknown(row, now))
        for pipeline, indices in of_pipeline.items():
            arrivals = [Arrival(rows[i].record, (rows[i].partition, rows[i].offset)) for i in indices]
            outcomes = self._pipelines[pipeline].take(arrivals, now)
            for index, found in zip(indices, outcomes, strict=True):
                row = rows[index]
                out[index] = [_out(each, row, now) for each in found]
        return [message for messages in out for message in messages]

    def _define(self, message: PipelineDefined) -> list[Problem]:
        known = self._pipelines.get(message.pipeline)
        if known is not None and known.version > message.version:
            return []
        specification, problems = checked(message.specification)
        if specification is None:
            return problems
        self._pipelines[message.pipeline] = (
            new_intake(specification, message.version, self._bounds)
            if known is None
            else revised(known, specification, message.version, self._bounds)
        )
        return []

    def _obey(self, command: Command, now: datetime) -> CommandResult:
        self._commands = newest([*self._commands, command.id])
        intake = self._pipelines.get(command.pipeline)
        try:
            if intake is None:
                raise RefusedError(f"there is no pipeline `{command.pipeline}`")
            source, fields = subject_of(command.arguments, intake.specification)
        except RefusedError as refused:
            return _result(command, now, "failed", str(refused))
        if command.action == "quarantine_source":
            intake.quarantine.begin(source, fields)
            return _result(command, now, "succeeded", _withheld(command.pipeline, source, fields))
        ended = intake.quarantine.end(source, fields)
        what = f"{', '.join(ended)} of {source} back in features" if ended else f"nothing of {source} was withheld"
        return _result(command, now, "succeeded", what)

    def _unknown(self, row: Waiting, now: datetime) -> Out:
        name = row.record.pipeline
        detail = f"there is no pipeline `{name}`: define it, then send this row again"
        return _dead(Problem("pipeline", "unknown-pipeline", detail), row, now)

    def _retention(self) -> dict[str, float]:
        return {
            name: intake.specification.retention.history.total_seconds() for name, intake in self._pipelines.items()
        }


def _withheld(pipeline: str, source: str, fields: Sequence[str]) -> str:
    return (
        f"{', '.join(fields)} of {source} withheld from features, until its rows are right again "
        f"or `homeostat quarantine release {shlex.join((pipeline, source))}`"
    )


def _out(outcome: Outcome, row: Waiting, now: datetime) -> Out:
    if isinstance(outcome, Features):
        return Out(FEATURES, outcome, row.trace)
    if isinstance(outcome, Label):
        return Out(LABELS, outcome, row.trace)
    return _dead(outcome, row, now)


def _dead(problem: Problem, row: Waiting, now: datetime) -> Out:
    letter = DeadLetter(
        topic=RAW_DATA.name,
        partition=row.partition,
        offset=row.offset,
        reason=problem.reason,
        detail=str(problem),
        value=row.value,
        key=row.record.entity.encode(),
        field=problem.field,
        pipeline=row.record.pipeline,
        id=row.record.id,
        source=row.record.source,
        service="ingest",
        at=now,
    )
    return DEAD_LETTERS.of(letter, trace=row.trace)


def _refused_definition(
    message: PipelineDefined, problems: Sequence[Problem], at: tuple[str, int, int], value: bytes, now: datetime
) -> DeadLetter:
    topic, partition, offset = at
    return DeadLetter(
        topic=topic,
        partition=partition,
        offset=offset,
        reason="bad-specification",
        detail="; ".join(map(str, problems)),
        value=value,
        key=message.pipeline.encode(),
        field=problems[0].field,
        pipeline=message.pipeline,
        service="ingest",
        at=now,
    )


def _result(command: Command, now: datetime, state: str, detail: str) -> CommandResult:
    fields = {"command": command.id, "pipeline": command.pipeline, "state": state, "at": now, "detail": detail}
    return msgspec.convert({**fields, "service": "ingest"}, CommandResult)
