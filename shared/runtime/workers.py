"""Jobs in worker processes: each worker takes one job at a time and is killed when a job overruns.

The workers are polled by the loop, there are no threads. What crosses to them is JSON.
"""

from __future__ import annotations

import multiprocessing
import os
import signal
import threading
from collections import deque
from collections.abc import Callable, Iterable
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import datetime
from functools import partial
from multiprocessing.connection import Connection, wait
from typing import Any

import msgspec
import structlog

from shared.bus import connect
from shared.clock import monotonic
from shared.errors import Transient
from shared.messages import JobFinished
from shared.runtime.jobs import JobContext, Jobs, end_of
from shared.runtime.nursery import Nursery, Process, Work
from shared.runtime.task import Task
from shared.service import Job
from shared.settings import CommonSettings
from shared.telemetry.logging import configure_logging

_log = structlog.get_logger("homeostat.jobs")

IDLE_SECONDS = 300.0
"""A worker without work for so long is ended; where there is a nursery it ends with its job, and frees its memory."""

NICENESS = 5
"""Jobs give way to the services that answer. Not so an urgent one: it is short, and someone waits for it."""


class _Asked(msgspec.Struct):
    name: str
    arguments: dict[str, Any]
    now: datetime
    urgent: bool = False


class _Answered(msgspec.Struct):
    result: Any = None
    error: str | None = None


@dataclass(slots=True)
class _Running:
    task: Task
    job: Job
    since: float


@dataclass(slots=True)
class _Worker:
    process: Process
    pipe: Connection
    free_since: float
    running: _Running | None = None

    def kill(self) -> None:
        self.process.kill()
        self.process.join()
        self.pipe.close()


@dataclass(slots=True)
class WorkerJobs:
    """At most `settings.job_workers` jobs at once, in the order they were asked for.

    Urgent jobs come first, and one may run beyond that limit; the worker too many is then ended.
    `warm` does the imports that jobs need: once, in a nursery that every worker is forked from. It must start no
    thread.
    """

    jobs: Jobs
    settings: CommonSettings
    warm: Callable[[], None] | None = None
    idle_seconds: float = IDLE_SECONDS
    _nursery: Nursery | None = None
    _workers: list[_Worker] = field(default_factory=list)
    _waiting: deque[tuple[Task, Job]] = field(default_factory=deque)
    _ends: dict[tuple[str, str], JobFinished] = field(default_factory=dict)

    def start(self, task: Task, job: Job, now: datetime) -> None:
        if not self._known(task, job):
            self._waiting.append((task, job))
            self._hand_out(now)

    def prepare(self) -> None:
        """Starts the nursery before there is work, where there is something to warm."""
        self._living_nursery()

    def finished(self, now: datetime) -> list[JobFinished]:
        for worker in list(self._workers):
            if worker.running is not None:
                self._look_after(worker, worker.running, now)
        self._hand_out(now)
        self._end_idle()
        return list(self._ends.values())

    def forget(self, ended: Iterable[JobFinished]) -> None:
        for end in ended:
            self._ends.pop((end.task, end.job), None)

    def cancel(self, task: Task) -> None:
        self._waiting = deque(one for one in self._waiting if one[0] != task)
        self._ends = {at: end for at, end in self._ends.items() if at[0] != task.name}
        for worker in list(self._workers):
            if worker.running is not None and worker.running.task == task:
                self._drop(worker)

    def stop(self) -> None:
        for worker in list(self._workers):
            self._drop(worker)
        if self._nursery is not None:
            self._nursery.stop()
        self._nursery = None
        self._waiting.clear()
        self._ends.clear()

    def _known(self, task: Task, job: Job) -> bool:
        running = (one.running for one in self._workers)
        return (
            (task.name, job.id) in self._ends
            or any(one[0] == task and one[1].id == job.id for one in self._waiting)
            or any(one is not None and one.task == task and one.job.id == job.id for one in running)
        )

    def _hand_out(self, now: datetime) -> None:
        self._waiting = deque(sorted(self._waiting, key=lambda one: not one[1].urgent))
        while self._waiting and (worker := self._worker_for(self._waiting[0][1])) is not None:
            task, job = self._waiting.popleft()
            worker.running = _Running(task, job, monotonic())
            # A worker that died meanwhile is found, and the job's end told, when it is looked after.
            with suppress(OSError):
                worker.pipe.send_bytes(msgspec.json.encode(_Asked(job.name, job.arguments, now, job.urgent)))
            _log.info("job started", task=task.name, job=job.id, name=job.name)

    def _worker_for(self, job: Job) -> _Worker | None:
        busy = sum(worker.running is not None for worker in self._workers)
        return self._free_worker() if busy < self.settings.job_workers + job.urgent else None

    def _free_worker(self) -> _Worker:
        for worker in list(self._workers):
            if worker.running is None:
                if worker.process.is_alive():
                    return worker
                self._drop(worker)
        worker = _new_worker(self._work(), self._living_nursery())
        self._workers.append(worker)
        return worker

    def _living_nursery(self) -> Nursery | None:
        if self.warm is not None and (self._nursery is None or self._nursery.process.exitcode is not None):
            self._nursery = Nursery(self.warm, self._work())
        return self._nursery

    def _work(self) -> Work:
        service = structlog.contextvars.get_contextvars().get("service", "job")
        return partial(_work, jobs=dict(self.jobs), settings=self.settings, service=service)

    def _look_after(self, worker: _Worker, running: _Running, now: datetime) -> None:
        seconds = monotonic() - running.since
        answered = _answer_of(worker)
        if answered is None and seconds > running.job.timeout_seconds:
            answered = _Answered(error=f"stopped after {running.job.timeout_seconds:g} s")
            self._drop(worker)
        elif answered is None and not worker.process.is_alive():
            answered = _Answered(error=f"its worker process ended with status {worker.process.exitcode}")
            self._drop(worker)
        if answered is None:
            return
        worker.running, worker.free_since = None, monotonic()
        task, job = running.task, running.job
        self._ends[task.name, job.id] = end_of(
            task.name, task.service, job, now, seconds, answered.result, answered.error
        )
        _log.info(
            "job ended", task=task.name, job=job.id, name=job.name, seconds=round(seconds, 3), error=answered.error
        )

    def _end_idle(self) -> None:
        for worker in list(self._workers):
            surplus = self._nursery is not None or len(self._workers) > self.settings.job_workers
            if worker.running is None and (surplus or monotonic() - worker.free_since >= self.idle_seconds):
                self._drop(worker)

    def _drop(self, worker: _Worker) -> None:
        worker.kill()
        self._workers.remove(worker)


def _answer_of(worker: _Worker) -> _Answered | None:
    try:
        return msgspec.json.decode(worker.pipe.recv_bytes(), type=_Answered) if worker.pipe.poll() else None
    except (EOFError, OSError):
        return None


def _new_worker(work: Work, nursery: Nursery | None) -> _Worker:
    context = multiprocessing.get_context("spawn")
    ours, theirs = context.Pipe()
    if nursery is not None:
        return _Worker(nursery.worker(theirs), ours, monotonic())
    process = context.Process(target=work, args=(theirs,), daemon=True, name="job-worker")
    process.start()
    theirs.close()
    return _Worker(process, ours, monotonic())


def _work(pipe: Connection, jobs: Jobs, settings: CommonSettings, service: str) -> None:
    """The worker process: one job after another, until the pipe or the parent ends."""
    configure_logging(service, settings.log_level)
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    threading.Thread(target=_end_with_parent, daemon=True).start()
    bus = connect(settings)
    yielding = False
    while True:
        try:
            asked = msgspec.json.decode(pipe.recv_bytes(), type=_Asked)
        except EOFError:
            return
        if not (asked.urgent or yielding):
            os.nice(NICENESS)
            yielding = True
        pipe.send_bytes(_answer(jobs, asked, JobContext(settings, bus, asked.now)))


def _answer(jobs: Jobs, asked: _Asked, context: JobContext) -> bytes:
    try:
        return msgspec.json.encode(_Answered(jobs[asked.name](asked.arguments, context)))
    except Exception as error:  # noqa: BLE001 - a job's failure is its result
        if isinstance(error, Transient):  # a server that is not there yet needs no traceback
            _log.warning("job failed for now", name=asked.name, why=str(error))
        else:
            _log.exception("job failed", name=asked.name)
        return msgspec.json.encode(_Answered(error=f"{type(error).__name__}: {error}"))


def _end_with_parent() -> None:
    parent = multiprocessing.parent_process()
    if parent is not None:
        wait([parent.sentinel])
        os._exit(1)
