"""One task and its service: records in, records out, and what the journal says of it. No I/O.

The same steps give the same records and the same state, whoever drives: the Kafka runtime, the
simulation, or the replay after a crash.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any, NamedTuple

from shared import codec
from shared.bus.base import NewRecord, Record
from shared.errors import HomeostatError, Overloaded, Poison, Transient
from shared.messages import JobFinished, StepTaken
from shared.runtime.letters import letter_of
from shared.runtime.outgoing import Outgoing
from shared.runtime.task import Task
from shared.service import Batch, Job, JobResult, Service, Step
from shared.telemetry.spans import NO_SPANS, Spans
from shared.telemetry.tracing import Parents, parent_in
from shared.topics import DEAD_LETTERS, JOB_RESULTS, STEPS, Out, Topic, topics_read_by

Make = Callable[[Task], Service]
Input = tuple[str, int, int, int]

JOBS_REMEMBERED = 1000
"""How many ended jobs a task remembers, so that a late second result or start is recognised."""


class Slice(NamedTuple):
    """Consecutive records of one partition. `topic` is the name without prefix."""

    topic: str
    partition: int
    records: Sequence[Record]

    @property
    def until(self) -> int:
        return self.records[-1].offset + 1


@dataclass(slots=True)
class Taken:
    """What one step came to: records to commit together, and jobs to start once they are."""

    records: list[NewRecord]
    jobs: list[Job]
    records_in: int
    dead: int
    messages: list[Any] = field(default_factory=list)


@dataclass(slots=True)
class _Doing:
    """A step in the making."""

    now: datetime
    outs: list[Out] = field(default_factory=list)
    jobs: list[Job] = field(default_factory=list)
    inputs: list[Input] = field(default_factory=list)
    dead: int = 0

    def add(self, step: Step) -> None:
        self.outs += step.messages
        self.jobs += step.jobs


class HandlerFailed(HomeostatError):
    """A handler raised on a batch. The state may be half changed: restore it, then take carefully."""


class TaskHost:
    """A service instance and all that is remembered beside it.

    `step` counts the steps taken. `positions` says, per (topic, partition), the next offset to read.
    After an exception the host is spent: make a new one and restore it.
    """

    def __init__(self, task: Task, make: Make, full_name: Callable[[str], str], spans: Spans = NO_SPANS) -> None:
        self.task = task
        self.step = 0
        self.now = datetime.min.replace(tzinfo=UTC)
        self.positions: dict[tuple[str, int], int] = {}
        self.ended_jobs: dict[str, None] = {}
        self.incomplete = ""
        """What the restored state lacks, for people; empty where it is whole."""
        self._make = make
        self._full_name = full_name
        self._spans = spans
        self._outgoing = Outgoing(task, full_name)
        self._topics: dict[str, Topic[Any]] = {topic.name: topic for topic in topics_read_by(task.service)}
        self.service = make(task)

    def take(self, slices: Sequence[Slice], now: datetime, *, tick: bool, careful: bool = False) -> Taken:
        """One step. `Transient` and `Overloaded` pass through; what else a handler raises is `HandlerFailed`.

        `careful` is for the step after `HandlerFailed`: the state is saved before each batch, a batch
        that fails is halved until the records that cause it stand alone, and those become dead letters.
        """
        doing = _Doing(max(now, self.now))
        for piece in slices:
            if careful:
                self._take_carefully(piece, doing)
            else:
                self._take_slice(piece, doing)
        if tick:
            doing.add(self._call(self.service.on_tick, doing.now))
        self._advance(self.step + 1, doing.now, doing.inputs)
        records = self._outgoing.records_of(doing.outs, self.step, doing.now)
        records.append(self._journaled(doing, tick))
        jobs = [job for job in doing.jobs if job.id not in self.ended_jobs]
        messages = [out.message for out in doing.outs]
        return Taken(records, jobs, sum(len(piece.records) for piece in slices), doing.dead, messages)

    def replay(self, step: StepTaken, slices: Sequence[Slice]) -> list[Out]:
        """Takes a journaled step again, for its effect on the state. Returns what was said then.

        `slices` are its inputs' records. An input without records only moves the position: its
        records became dead letters.
        """
        doing = _Doing(step.now)
        for piece in slices:
            self._take_slice(piece, doing)
        if step.tick:
            doing.add(self.service.on_tick(step.now))
        self._advance(step.step, step.now, step.inputs)
        return doing.outs

    def pending_jobs(self) -> list[Job]:
        """Jobs the service still waits for."""
        return [job for job in self.service.pending_jobs() if job.id not in self.ended_jobs]

    def _advance(self, step: int, now: datetime, inputs: Iterable[Input]) -> None:
        self.step, self.now = step, now
        for topic, partition, _, until in inputs:
            self.positions[topic, partition] = until

    def _journaled(self, doing: _Doing, tick: bool) -> NewRecord:
        entry = StepTaken(task=self.task.name, step=self.step, now=doing.now, inputs=tuple(doing.inputs), tick=tick)
        return NewRecord(self._full_name(STEPS.name), self.task.name.encode(), codec.encode(entry))

    def _take_slice(self, piece: Slice, doing: _Doing) -> None:
        with self._spans.batch(self.task.name, self._full_name(piece.topic), piece.partition, piece.records):
            self._handle(piece, doing)
        doing.inputs.append((piece.topic, piece.partition, piece.records[0].offset, piece.until))

    def _handle(self, piece: Slice, doing: _Doing) -> None:
        if piece.topic == JOB_RESULTS.name:
            for result in self._job_results(piece):
                doing.add(self._call(self.service.on_job, result, doing.now))
        elif (batch := self._decoded(piece, doing)).messages:
            handler = getattr(self.service, self._topics[piece.topic].handler)
            doing.add(self._call(handler, batch, doing.now))

    def _call(self, handler: Callable[..., Step], *arguments: object) -> Step:
        name = getattr(handler, "__name__", str(handler))
        try:
            with self._spans.handling(name):
                return handler(*arguments)
        except (Transient, Overloaded):
            raise
        except Exception as error:
            raise HandlerFailed(f"{self.task.name} {name}: {type(error).__name__}: {error}") from error

    def _take_carefully(self, piece: Slice, doing: _Doing) -> None:
        before, so_far, jobs, ended = self.service.save(), len(doing.outs), len(doing.jobs), dict(self.ended_jobs)
        inputs, dead = len(doing.inputs), doing.dead
        try:
            self._take_slice(piece, doing)
            return
        except HandlerFailed as failure:
            del doing.outs[so_far:], doing.jobs[jobs:], doing.inputs[inputs:]
            doing.dead, self.ended_jobs = dead, ended
            self.service = self._make(self.task)
            self.service.restore(before)
            if len(piece.records) == 1:
                self._refuse(piece, failure, doing)
                return
        middle = len(piece.records) // 2
        for half in (piece.records[:middle], piece.records[middle:]):
            self._take_carefully(Slice(piece.topic, piece.partition, half), doing)

    def _refuse(self, piece: Slice, failure: HandlerFailed, doing: _Doing) -> None:
        cause = failure.__cause__
        reason, detail = (cause.reason, cause.detail) if isinstance(cause, Poison) else ("handler-failed", str(failure))
        self._bury(piece.records[0], piece.topic, reason, detail, doing)
        doing.inputs.append((piece.topic, piece.partition, piece.until, piece.until))

    def _bury(self, record: Record, topic: str, reason: str, detail: str, doing: _Doing) -> None:
        letter = letter_of(record, topic, self.task, doing.now, reason=reason, detail=detail)
        doing.outs.append(Out(DEAD_LETTERS, letter, parent_in(record.headers)))
        doing.dead += 1

    def _decoded(self, piece: Slice, doing: _Doing) -> Batch[Any]:
        """The slice's messages; what is none becomes a dead letter and is left out."""
        message, records = self._topics[piece.topic].read_by(self.task.service), piece.records
        values = [record.value for record in records]
        try:
            messages = codec.decode_all(message, values)
        except Poison:
            messages, good = [], []
            for record in records:
                try:
                    messages.append(codec.decode_as(message, record.value))
                    good.append(record)
                except Poison as poison:
                    self._bury(record, piece.topic, poison.reason, poison.detail, doing)
            records, values = good, [record.value for record in good]
        return Batch(
            topic=piece.topic,
            partition=piece.partition,
            offsets=[record.offset for record in records],
            messages=messages,
            values=values,
            traces=Parents([record.headers for record in records]),
        )

    def _job_results(self, piece: Slice) -> Iterator[JobResult]:
        """The ends of this task's own jobs, each once."""
        for record in piece.records:
            if record.key != self.task.name.encode():
                continue
            ended = _job_finished(record)
            if ended is None or ended.job in self.ended_jobs:
                continue
            self.ended_jobs[ended.job] = None
            while len(self.ended_jobs) > JOBS_REMEMBERED:
                del self.ended_jobs[next(iter(self.ended_jobs))]
            yield JobResult(ended.job, ended.name, ended.seconds, ended.result, ended.error)


def _job_finished(record: Record) -> JobFinished | None:
    try:
        return codec.decode(JOB_RESULTS, record.value)
    except Poison:
        return None
