"""The tasks that run in this process: started from what is committed, held back after a failure."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from itertools import chain

import structlog

from shared.bus.base import LogReader, Record, Transaction, Undecided
from shared.clock import monotonic
from shared.errors import Transient
from shared.runtime import journal
from shared.runtime.assignment import Assignment, TopicPartition
from shared.runtime.host import Make, TaskHost
from shared.runtime.jobs import JobRunner
from shared.runtime.meter import Meter
from shared.runtime.task import Task, followed_topics
from shared.settings import CommonSettings
from shared.state import Snapshot, Snapshots
from shared.telemetry.spans import NO_SPANS, Spans
from shared.topics import BY_NAME, COMMANDS, JOB_RESULTS, MODEL_PUBLISHED, PIPELINES, STEPS

_log = structlog.get_logger("homeostat.runtime")

LONGEST_BACK_OFF = 10.0
STARTING_SECONDS = 20.0
"""A turn in which a start has failed after so long tries no other: who waits for an open journal waits for a minute."""

FORGIVEN_AFTER = timedelta(seconds=30)
Committed = Mapping[TopicPartition, int | None]
RULES = (PIPELINES, MODEL_PUBLISHED, COMMANDS)
"""What data is judged by: a task that starts takes what is there of these before any data."""


def back_off(failures: int) -> timedelta:
    """How long to wait after this many failures in a row: 0.1 s, doubling up to 10 s."""
    return timedelta(seconds=min(LONGEST_BACK_OFF, 0.1 * 2.0 ** min(failures - 1, 10)))


@dataclass(slots=True)
class Running:
    """A task that takes steps. Data flows once `rules` (positions to reach first) is empty."""

    host: TaskHost
    rules: dict[TopicPartition, int]
    saved_step: int
    journal_from: int
    """An end of the journal before which it has all of this task's entries: where its next snapshot begins."""


@dataclass(slots=True)
class Setback:
    """A task's recent failures. `careful`: its next step with records is taken carefully."""

    failures: int = 0
    retry_at: datetime | None = None
    careful: bool = False


@dataclass(slots=True)
class Parts:
    """What the tasks are made from and work with. `stopwatch` measures steps, for the pulse and the metrics."""

    make: Make
    settings: CommonSettings
    transaction: Transaction
    reader: LogReader
    snapshots: Snapshots
    jobs: JobRunner
    meter: Meter
    stopwatch: Callable[[], float] = monotonic
    alive: Callable[[], None] = lambda: None
    spans: Spans = NO_SPANS


@dataclass(slots=True)
class Tasks:
    """The running tasks of one service in this process, by task, in order."""

    parts: Parts
    assignment: Assignment
    running: dict[Task, Running] = field(default_factory=dict)
    setbacks: dict[Task, Setback] = field(default_factory=dict)
    changed: bool = False

    # -- told by the bus, between two steps

    def assigned(self, partitions: Sequence[TopicPartition]) -> None:
        for at in partitions:
            self.parts.transaction.pause(*at)
        self.assignment.assigned(partitions)

    def revoked(self, partitions: Sequence[TopicPartition]) -> None:
        for task in self.assignment.revoked(partitions):
            running = self.running.pop(task, None)
            self.setbacks.pop(task, None)
            self.parts.meter.incomplete.pop(task.name, None)
            if running is not None:
                self.changed = True
                self.save([running])
                self.parts.jobs.cancel(task)
                _log.info("task handed over", task=task.name, step=running.host.step)

    # -- starting and stopping

    def start_waiting(self, now: datetime) -> bool:
        """Starts every task that may run, does not, and whose waiting time is over; whether any did."""
        tasks = self.assignment.tasks()
        if len(self.running) == len(tasks):
            return False
        waiting = [task for task in tasks if task not in self.running and self._may_start(task, now)]
        if not waiting:
            return False
        try:
            committed = self._committed(waiting)
        except Transient as error:
            for task in waiting:
                self.set_back(task, now, str(error))
            return False
        began, started = self.parts.stopwatch(), False
        for task in sorted(waiting, key=self._failures):
            try:
                self._start(task, now, committed)
                started = True
            except Transient as error:
                self.set_back(task, now, str(error))
                if self.parts.stopwatch() - began > STARTING_SECONDS:
                    break  # what kept this one waiting would keep the others too: they come first in the next turn
        return started

    def set_back(self, task: Task, now: datetime, why: str, *, wait: timedelta | None = None) -> None:
        """Takes the task out until its waiting time is over; it then starts from what is committed."""
        setback = self.setbacks.setdefault(task, Setback())
        setback.failures += 1
        setback.retry_at = now + (back_off(setback.failures) if wait is None else wait)
        for at in self.assignment.partitions_of(task):
            if at in self.assignment.owned:
                self.parts.transaction.pause(*at)
        self.running.pop(task, None)
        self.changed = True
        _log.warning("task set back", task=task.name, failures=setback.failures, why=why)

    def take_carefully(self, task: Task, now: datetime, why: str) -> None:
        """The task's next step is taken carefully, at once."""
        self.set_back(task, now, why, wait=timedelta(0))
        self.setbacks[task].careful = True

    def succeeded(self, task: Task, now: datetime, *, took_records: bool) -> None:
        """A step is committed. Failures are forgotten once the task has run for a while without one."""
        setback = self.setbacks.get(task)
        if setback is None:
            return
        setback.careful = setback.careful and not took_records
        if setback.retry_at is None or now - setback.retry_at > FORGIVEN_AFTER:
            del self.setbacks[task]

    @property
    def waiting(self) -> bool:
        """Whether a task may run and does not."""
        return len(self.running) < len(self.assignment.tasks())

    def due(self, now: datetime) -> bool:
        """Whether a task that was set back may start again now."""
        return any(
            one.retry_at is not None and one.retry_at <= now and task not in self.running
            for task, one in self.setbacks.items()
        )

    def release_data(self) -> bool:
        """Lets data flow to tasks that have taken the rules that were there when they started; whether to any."""
        released = False
        for task, running in self.running.items():
            if running.rules and all(running.host.positions.get(at, 0) >= to for at, to in running.rules.items()):
                running.rules, released = {}, True
                self._resume(task, spread=True)
        return released

    def followed(self) -> dict[TopicPartition, int]:
        """Where reading the topics outside the group must begin, so that no task misses a record."""
        full_name = self.parts.settings.full_name
        starts: dict[TopicPartition, int] = {}
        for running in self.running.values():
            for topic in followed_topics(running.host.task.service):
                at, position = (full_name(topic.name), 0), running.host.positions[topic.name, 0]
                starts[at] = min(position, starts.get(at, position))
        return starts

    def save(self, which: Iterable[Running]) -> None:
        """Snapshots of these tasks, where they have moved since their last one.

        The journal's end of now is for the next one: what stands before it may be of another process that has
        the task already, and only a step committed after shows that it was not.
        """
        for running in which:
            host = running.host
            if host.step == running.saved_step:
                continue
            try:
                journal_end = self._journal_end()
            except Transient as error:
                _log.warning("no snapshot: the journal's end is not known", task=host.task.name, error=str(error))
                return
            if self.parts.snapshots.save(snapshot_of(host, running.journal_from)):
                running.saved_step, running.journal_from = host.step, journal_end

    def _journal_end(self) -> int:
        return self.parts.reader.end_offsets(self.parts.settings.full_name(STEPS.name))[0]

    def _failures(self, task: Task) -> int:
        setback = self.setbacks.get(task)
        return 0 if setback is None else setback.failures

    def _may_start(self, task: Task, now: datetime) -> bool:
        setback = self.setbacks.get(task)
        return setback is None or setback.retry_at is None or setback.retry_at <= now

    def _committed(self, tasks: Sequence[Task]) -> Committed:
        """What the group has committed for these tasks, once no transaction of an earlier owner can change it."""
        began = monotonic()
        partitions = [at for task in tasks for at in self.assignment.partitions_of(task)]
        try:
            return self.parts.transaction.committed(partitions)
        except Undecided as error:
            # By now Kafka has ended whatever was open. It may still call the offsets undecided after a broker's
            # death, and for ever: the journal, written in the same transactions, is enough to go on.
            _log.warning("going on by the journal alone", why=str(error), waited=round(monotonic() - began, 1))
            return dict.fromkeys(partitions)

    def _start(self, task: Task, now: datetime, committed: Committed) -> None:
        began = monotonic()
        partitions = self.assignment.partitions_of(task)
        journal_end = self._journal_end()
        host, saved_step = self._restored(task)
        self._settle_positions(host, {at: committed[at] for at in partitions})
        self.parts.meter.restored_without(task.name, host.incomplete)
        for topic, partition in partitions:
            name = topic[len(self.parts.settings.topic_prefix) :]
            self.parts.transaction.seek(topic, partition, host.positions[name, partition])
        self.running[task] = running = Running(host, self._rules_ahead(host), saved_step, journal_end)
        if host.incomplete:
            running.saved_step = -1  # what it lacks is kept at the next saving, whether or not it has moved by then
        self.running = dict(sorted(self.running.items(), key=lambda item: item[0].partition or 0))
        self.changed = True
        self._resume(task, spread=False)
        if not running.rules:
            self._resume(task, spread=True)
        self._start_jobs(host, now)
        self.parts.meter.restored(monotonic() - began, host.step - saved_step)
        _log.info("task started", task=task.name, step=host.step, replayed=host.step - saved_step)

    def _restored(self, task: Task) -> tuple[TaskHost, int]:
        full_name = self.parts.settings.full_name
        host = TaskHost(task, self.parts.make, full_name, self.parts.spans)
        snapshot = self.parts.snapshots.load(task.name)
        start = 0
        if snapshot is not None:
            if journal.begin_from(host, snapshot):
                start = snapshot.journal_from
            else:
                host = TaskHost(task, self.parts.make, full_name, self.parts.spans)
        saved_step = host.step
        journal.replay(host, start, self.parts.reader, full_name, self.parts.alive)
        return host, saved_step

    def _settle_positions(self, host: TaskHost, committed: Committed) -> None:
        """The journal says where to go on; the group's offsets only where the journal says nothing.

        After a broker's death Kafka may show offsets of a transaction it has aborted: to take them for
        true would lose records.
        """
        prefix = len(self.parts.settings.topic_prefix)
        for (topic, partition), offset in committed.items():
            at = (topic[prefix:], partition)
            known = host.positions.get(at)
            if known is None:
                if offset and not host.step:
                    host.incomplete = f"no snapshot and no journal are left, and {topic} was read up to {offset}"
                    _log.error("state is lost: going on without", task=host.task.name, why=host.incomplete)
                host.positions[at] = self.parts.reader.begin_offsets(topic)[partition] if offset is None else offset
            elif offset is not None and offset > known:
                _log.warning(
                    "the group is ahead of the journal, which counts", task=host.task.name, group=offset, journal=known
                )
        for followed in followed_topics(host.task.service):
            if (followed.name, 0) not in host.positions:
                begin = self.parts.reader.begin_offsets(self.parts.settings.full_name(followed.name))[0]
                host.positions[followed.name, 0] = begin

    def _rules_ahead(self, host: TaskHost) -> dict[TopicPartition, int]:
        ahead: dict[TopicPartition, int] = {}
        for topic in RULES:
            at = (topic.name, 0)
            if at in host.positions:
                records = self._from_position(host, topic.name)
                if records:
                    ahead[at] = records[-1][-1].offset + 1
        return ahead

    def _from_position(self, host: TaskHost, topic: str) -> list[list[Record]]:
        name, start = self.parts.settings.full_name(topic), host.positions[topic, 0]
        return list(self.parts.reader.read(name, 0, start, self.parts.reader.written_offsets(name)[0]))

    def _start_jobs(self, host: TaskHost, now: datetime) -> None:
        """Starts what the service still waits for, unless its end already stands in the log."""
        pending = host.pending_jobs()
        if not pending:
            return
        key = host.task.name.encode()
        records = chain.from_iterable(self._from_position(host, JOB_RESULTS.name))
        ended = {end.job for record in records if record.key == key and (end := journal.job_end(record)) is not None}
        for job in pending:
            if job.id not in ended:
                self.parts.jobs.start(host.task, job, now)

    def _resume(self, task: Task, *, spread: bool) -> None:
        prefix = len(self.parts.settings.topic_prefix)
        for at in self.assignment.partitions_of(task):
            if BY_NAME[at[0][prefix:]].spread == spread:
                self.parts.transaction.resume(*at)

    def __iter__(self) -> Iterator[Running]:
        return iter(list(self.running.values()))


def snapshot_of(host: TaskHost, journal_from: int) -> Snapshot:
    """All that is remembered of the task. Its journal entries from `journal_from` on are still to be replayed."""
    return Snapshot(
        task=host.task.name,
        step=host.step,
        now=host.now,
        positions=tuple((topic, partition, offset) for (topic, partition), offset in sorted(host.positions.items())),
        ended_jobs=tuple(host.ended_jobs),
        journal_from=journal_from,
        state=host.service.save(),
        incomplete=host.incomplete,
    )
