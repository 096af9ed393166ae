"""One turn after another: read what is there, take steps, commit them in one transaction.

The same loop drives a service on Kafka and in memory; it is told the time and what to read from.

Under load the commit of a turn goes on aside while the next turn reads and takes its steps. It is settled before that
one commits, and before anything that must not see what is not committed: starts, snapshots, set-backs, partitions that
come and go, the ends of jobs. Where it failed, the steps that were taken upon it are given up with it.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from datetime import datetime, timedelta

import structlog

from shared.bus.base import NewRecord, Record
from shared.codec import encode
from shared.errors import Overloaded, Transient
from shared.messages import JobFinished
from shared.runtime.appetite import Appetite
from shared.runtime.assignment import TopicPartition
from shared.runtime.host import HandlerFailed, Slice, Taken
from shared.runtime.task import Task
from shared.runtime.tasks import Parts, Running, Tasks
from shared.runtime.under_way import WORTH_RECORDS, UnderWay
from shared.telemetry.http import Health
from shared.telemetry.spans import NO_SPANS
from shared.topics import JOB_RESULTS, PARTITIONED, TELEMETRY, TOPICS

_log = structlog.get_logger("homeostat.runtime")

BEAT_SECONDS = 2.0
MOST_ABORTS = 20
"""Transactions that fail in a row before the process gives up and is started anew."""

_ORDER = {topic.name: (topic.spread, index) for index, topic in enumerate(TOPICS)}


class ServiceLoop:
    """Drives the tasks of one service. One thread; `turn` again and again, then `stop`."""

    def __init__(
        self,
        parts: Parts,
        tasks: Tasks,
        clock: Callable[[], datetime],
        guarded: Callable[[], AbstractContextManager[object]] = nullcontext,
    ) -> None:
        self.parts = parts
        self.tasks = tasks
        self._clock = clock
        self._guarded = guarded
        self._prefix = len(parts.settings.topic_prefix)
        self._aside = parts.transaction.commits_aside and parts.spans is NO_SPANS  # a span ends with its turn
        self._worth = min(WORTH_RECORDS, parts.settings.batch_records)
        self._divided = parts.meter.service in PARTITIONED
        self._aborts = 0
        self._under_way: UnderWay | None = None
        self._appetite = Appetite(parts.settings.batch_records)
        start = parts.meter.started
        self._tick_at, self._beat_at, self._save_at = start, start, start
        parts.transaction.subscribe(tasks.assignment.topics, self)

    def turn(self, wait: float) -> bool:
        """One turn; waits up to `wait` seconds for a first record. Returns whether there may be more to do at once.

        `Fenced`, and `Transient` after many failed transactions, mean that this process must end.
        """
        most = self._appetite.records
        records = self.parts.transaction.poll(most, wait if self._under_way is None else 0.0)
        now = self._clock()
        if len(records) < self._worth or self.tasks.waiting or self._save_due(now):
            self._settle()
        work = self._grouped(records)  # before any start: what was read for a task that is set back is not for its next
        started = self.tasks.start_waiting(now)
        self._add_followed(work, self._followed(most))
        tick = _due(self._tick_at, now, self.parts.settings.tick_seconds)
        with self.parts.spans.turn() if work else nullcontext():
            taken = self._take_steps(work, now, tick)
            self._settle(stepped=True)
            taken = [(one, step) for one, step in taken if self.tasks.running.get(one.host.task) is one]
            ended = self.parts.jobs.finished(now)
            beat = _due(self._beat_at, now, BEAT_SECONDS)
            if taken or ended or beat:
                self._commit(taken, ended, now, beat=beat, aside=self._aside and len(records) >= self._worth)
        if tick:
            self._tick_at = now + timedelta(seconds=self.parts.settings.tick_seconds)
        released = self.tasks.release_data()
        moved = records or ended or any(one.records_in for _, one in taken)
        return bool(moved or started or released or self.tasks.due(now))

    def drain(self) -> None:
        """An orderly end: a last pulse, snapshots, and out of the group.

        Only between two turns. After an exception from `turn` the state may be ahead of what is
        committed: leave it to the next process, which starts from what is.
        """
        self._settle()
        now = self._clock()
        pulse = self.parts.meter.beat(now, self._lag(), "draining")
        try:
            with self._guarded():
                records = [self._control(TELEMETRY.name, pulse.service, encode(pulse))]
                self.parts.transaction.commit(records, self._offsets(self.tasks))
        except Transient as error:
            _log.warning("no last pulse", why=str(error))
        self.tasks.save(self.tasks)
        self.tasks.running.clear()
        self.parts.transaction.close()
        self.parts.reader.close()

    def positions(self) -> dict[tuple[str, int], int]:
        """Where each partition whose data flows goes on, by full topic name."""
        return self._offsets(running for running in self.tasks if not running.rules)

    def health(self) -> dict[str, Health]:
        """How its parts are, for `/readyz`. May be asked from another thread."""
        owned, running = len(self.tasks.assignment.tasks()), len(self.tasks.running)
        waiting = sorted(task.name for task in list(self.tasks.setbacks) if task not in self.tasks.running)
        return {
            "kafka": Health(
                self._aborts == 0, f"{self._aborts} transactions in a row were aborted" * bool(self._aborts)
            ),
            "tasks": Health(
                owned > 0, "no complete set of partitions assigned yet" if owned == 0 else f"{owned} tasks"
            ),
            "state": Health(
                running == owned and not waiting,
                f"not restored or set back: {waiting}" if waiting else self.parts.meter.lacks,
            ),
        }

    # -- told by the bus, in the middle of a poll

    def assigned(self, partitions: Sequence[TopicPartition]) -> None:
        self._settle()
        self.tasks.assigned(partitions)

    def revoked(self, partitions: Sequence[TopicPartition]) -> None:
        self._settle()
        self.tasks.revoked(partitions)

    # -- what there is to do

    def _followed(self, most: int) -> list[Record]:
        if not self._divided:
            return []
        if self.tasks.changed:
            self.tasks.changed = False
            self.parts.reader.follow(self.tasks.followed())
        return self.parts.reader.poll(most, 0.0) if self.tasks.running else []

    def _grouped(self, records: Sequence[Record]) -> dict[Task, list[Slice]]:
        """The records of running tasks, in slices of one partition."""
        work: dict[Task, list[Slice]] = {}
        for piece in self._slices(records):
            task = self.tasks.assignment.task_of(piece.partition)
            if task in self.tasks.running:
                work.setdefault(task, []).append(piece)
        return work

    def _add_followed(self, work: dict[Task, list[Slice]], followed: Sequence[Record]) -> None:
        """What every task follows joins its work, and goes before the data: rules and other control topics first."""
        for piece in self._slices(followed):
            for task, running in self.tasks.running.items():
                position = running.host.positions[piece.topic, piece.partition]
                unseen = [record for record in piece.records if record.offset >= position]
                if unseen:
                    work.setdefault(task, []).append(Slice(piece.topic, piece.partition, unseen))
        for pieces in work.values():
            pieces.sort(key=lambda piece: (_ORDER[piece.topic], piece.partition))

    def _slices(self, records: Sequence[Record]) -> list[Slice]:
        groups: dict[tuple[str, int], list[Record]] = {}
        topic, partition = "", -1
        for record in records:  # most come in runs: the group is looked for where it changes
            if record.partition != partition or record.topic != topic:
                topic, partition = record.topic, record.partition
                append = groups.setdefault((topic, partition), []).append
            append(record)
        return [Slice(topic[self._prefix :], partition, group) for (topic, partition), group in groups.items()]

    # -- doing it

    def _take_steps(self, work: Mapping[Task, list[Slice]], now: datetime, tick: bool) -> list[tuple[Running, Taken]]:
        taken = []
        began = self.parts.stopwatch()
        for running in self.tasks:
            pieces = work.get(running.host.task, [])
            if (pieces or tick) and (one := self._take_step(running, pieces, now, tick)) is not None:
                taken.append((running, one))
        if records := sum(one.records_in for _, one in taken):
            self._appetite.took(records, self.parts.stopwatch() - began)
        return taken

    def _take_step(self, running: Running, pieces: list[Slice], now: datetime, tick: bool) -> Taken | None:
        task, meter = running.host.task, self.parts.meter
        setback = self.tasks.setbacks.get(task)
        began = self.parts.stopwatch()
        try:
            taken = running.host.take(pieces, now, tick=tick, careful=setback is not None and setback.careful)
        except Transient as error:
            meter.failed("transient")
            self._settle(stepped=True)
            self.tasks.set_back(task, now, str(error))
            return None
        except Overloaded as error:
            self._settle(stepped=True)
            self.tasks.set_back(task, now, str(error), wait=timedelta(seconds=error.retry_after_seconds))
            return None
        except HandlerFailed as error:
            meter.failed("handler")
            self._settle(stepped=True)
            _log.error("a handler failed", task=task.name, exc_info=error)
            if pieces and not (setback is not None and setback.careful):
                self.tasks.take_carefully(task, now, str(error))
            else:
                self.tasks.set_back(task, now, str(error))
            return None
        meter.stepped(self.parts.stopwatch() - began, taken.dead)
        for piece in pieces:
            meter.took(piece.topic, len(piece.records))
        return taken

    def _commit(
        self,
        taken: Sequence[tuple[Running, Taken]],
        ended: Sequence[JobFinished],
        now: datetime,
        *,
        beat: bool,
        aside: bool,
    ) -> None:
        records = [record for _, one in taken for record in one.records]
        records += [self._control(JOB_RESULTS.name, end.task, encode(end)) for end in ended]
        if beat:
            self.parts.meter.meters.set("homeostat_tasks", len(self.tasks.running), service=self.parts.meter.service)
            pulse = self.parts.meter.beat(now, self._lag())
            records.append(self._control(TELEMETRY.name, pulse.service, encode(pulse)))
            self._beat_at = now + timedelta(seconds=BEAT_SECONDS)
        offsets = self._offsets(running for running, _ in taken)

        def commit() -> float:
            began = self.parts.stopwatch()
            with self._guarded(), self.parts.spans.commit(records):
                self.parts.transaction.commit(records, offsets)
            return self.parts.stopwatch() - began

        self._under_way = UnderWay(taken, ended, records, now)
        self._under_way.run(commit, aside=aside)
        if not aside:
            self._settle()

    def _settle(self, *, stepped: bool = False) -> None:
        """Waits for the commit that is under way. `stepped`: the state holds steps that were taken upon it.

        Where it failed its tasks are set back: what they took upon it must not be committed.
        """
        done, self._under_way = self._under_way, None
        if done is None:
            return
        try:
            self.parts.meter.committed(done.outcome.result())
        except Transient as error:
            self._aborted(done.taken, done.now, error)
            return
        self._aborts = 0
        for topic, count in Counter([record.topic for record in done.records]).items():
            self.parts.meter.wrote(topic[self._prefix :], count)
        self._settled(done.taken, done.ended, done.now)
        if not stepped and self._save_due(done.now):
            self._save_at = done.now + timedelta(seconds=self.parts.settings.snapshot_seconds)
            self.tasks.save(self.tasks)

    def _save_due(self, now: datetime) -> bool:
        return _due(self._save_at, now, self.parts.settings.snapshot_seconds)

    def _aborted(self, taken: Sequence[tuple[Running, Taken]], now: datetime, error: Transient) -> None:
        self._aborts += 1
        self.parts.meter.failed("aborted")
        if self._aborts >= MOST_ABORTS:
            raise Transient(f"{self._aborts} transactions in a row were aborted, the last because: {error}") from error
        for running, _ in taken:
            self.tasks.set_back(running.host.task, now, f"transaction aborted: {error}")

    def _settled(self, taken: Sequence[tuple[Running, Taken]], ended: Sequence[JobFinished], now: datetime) -> None:
        self.parts.jobs.forget(ended)
        for end in ended:
            self.parts.spans.job(end)
            outcome = "failed" if end.error else "succeeded"
            self.parts.meter.meters.count(
                "homeostat_jobs_total", 1, service=self.parts.meter.service, job=end.name, outcome=outcome
            )
        for running, one in taken:
            self.tasks.succeeded(running.host.task, now, took_records=one.records_in > 0)
            self.parts.meter.observer.saw(one.messages, self._clock())
            for job in one.jobs:
                self.parts.jobs.start(running.host.task, job, now)
            if (gauges := getattr(running.host.service, "gauges", None)) is not None:
                self.parts.meter.expose(running.host.task.name, gauges())

    def _offsets(self, which: Iterable[Running]) -> dict[tuple[str, int], int]:
        """Where each task's partitions go on: all of them, so that every transaction is fenced."""
        positions: dict[tuple[str, int], int] = {}
        for running in which:
            for topic, partition in self.tasks.assignment.partitions_of(running.host.task):
                positions[topic, partition] = running.host.positions[topic[self._prefix :], partition]
        return positions

    def _lag(self) -> dict[str, int]:
        lag: Counter[str] = Counter()
        for (topic, _), waiting in self.parts.transaction.lag().items():
            lag[topic[self._prefix :]] += waiting
        return dict(lag)

    def _control(self, topic: str, key: str, value: bytes) -> NewRecord:
        return NewRecord(self.parts.settings.full_name(topic), key.encode(), value)


def _due(at: datetime, now: datetime, period: float) -> bool:
    """Whether what is done every `period` seconds, next at `at`, is due; also where the clock was put back since.

    >>> from datetime import UTC
    >>> noon = datetime(2026, 1, 1, 12, tzinfo=UTC)
    >>> [_due(noon + timedelta(seconds=wait), noon, 10.0) for wait in (-1, 0, 5, 10, 3600)]
    [True, True, False, False, True]
    """
    return now >= at or at - now > timedelta(seconds=period)
