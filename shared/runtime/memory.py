"""Many services over the log in memory, under a clock that is set: for tests and simulation.

The services, the loop, the journal and the snapshots are those that run on Kafka. Given the same
calls it gives the same bytes.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, TypeVar

import msgspec

from shared import codec
from shared.bus.base import NewRecord, Record
from shared.bus.factory import record_limits
from shared.bus.memory import MemoryBus
from shared.messages import JobFinished
from shared.runtime.host import Make, TaskHost
from shared.runtime.installation import topic_specs
from shared.runtime.jobs import JobContext, Jobs, end_of
from shared.runtime.loop import ServiceLoop
from shared.runtime.parts import loop_of
from shared.runtime.task import Task
from shared.service import Job, Service
from shared.settings import CommonSettings
from shared.state import MemoryStore, Snapshots, SnapshotStore
from shared.telemetry.metrics import Meters
from shared.telemetry.spans import NO_SPANS, Spans
from shared.topics import Topic

M = TypeVar("M", bound=msgspec.Struct)

START = datetime(2026, 1, 1, tzinfo=UTC)
MOST_ROUNDS = 100_000
"""Rounds without rest after which the services are taken to be talking in a circle."""


def _stands_still() -> float:
    return 0.0


class InlineJobs:
    """Runs a job at once; its end comes back `seconds_of(job)` of virtual time later.

    The clock a job is given stands still, and what it says it cost (`cost_seconds`) is that virtual
    time: nothing it answers depends on how fast this machine is.
    """

    def __init__(
        self, jobs: Jobs, settings: CommonSettings, bus: MemoryBus, seconds_of: Callable[[Job], float]
    ) -> None:
        self._jobs = jobs
        self._settings = settings
        self._bus = bus
        self._seconds_of = seconds_of
        self._ends: dict[tuple[str, str], JobFinished] = {}

    def runs(self, task: Task, job: Job) -> bool:
        """Whether the job was started and its end is not in the log yet."""
        return (task.name, job.id) in self._ends

    def start(self, task: Task, job: Job, now: datetime) -> None:
        if (task.name, job.id) in self._ends:
            return
        seconds = self._seconds_of(job)
        result, error = None, None
        if seconds > job.timeout_seconds:
            seconds, error = job.timeout_seconds, f"stopped after {job.timeout_seconds:g} s"
        else:
            try:
                arguments = msgspec.json.decode(msgspec.json.encode(job.arguments))
                result = self._jobs[job.name](arguments, JobContext(self._settings, self._bus, now, _stands_still))
                result = {**result, "cost_seconds": seconds} if "cost_seconds" in result else result
            except Exception as failure:  # noqa: BLE001 - a job's failure is its result, as in a worker process
                error = f"{type(failure).__name__}: {failure}"
        at = now + timedelta(seconds=seconds)
        self._ends[task.name, job.id] = end_of(task.name, task.service, job, at, seconds, result, error)

    def finished(self, now: datetime) -> list[JobFinished]:
        return [end for end in self._ends.values() if end.at <= now]

    def forget(self, ended: Iterable[JobFinished]) -> None:
        for end in ended:
            self._ends.pop((end.task, end.job), None)

    def cancel(self, task: Task) -> None:
        self._ends = {at: end for at, end in self._ends.items() if at[0] != task.name}

    def stop(self) -> None:
        self._ends.clear()


class MemoryRuntime:
    """The services named in `services`, each with its maker, driven in that order.

    `jobs` gives each service's table of job functions. `job_seconds` is how much virtual time a job
    takes. `bus` and `stores` may be given: those of an earlier runtime, to go on with its log and
    snapshots, or ones that fail. `spans` are those of each service's process. `turn`, `put` and the
    clock are all a scheduler of its own needs.
    """

    def __init__(
        self,
        services: Mapping[str, Make],
        *,
        jobs: Mapping[str, Jobs] | None = None,
        settings: CommonSettings | None = None,
        now: datetime = START,
        job_seconds: Callable[[Job], float] = lambda _: 0.0,
        bus: MemoryBus | None = None,
        stores: Sequence[SnapshotStore] | None = None,
        spans: Callable[[str], Spans] = lambda _: NO_SPANS,
    ) -> None:
        self.now = now
        self.settings = settings or CommonSettings(bootstrap_servers="memory", data_dir=Path(".homeostat"))
        self.bus = bus or MemoryBus(limits=record_limits(self.settings))
        self.bus.clock_ms = lambda: int(self.now.timestamp() * 1000)
        self.bus.ensure_topics(topic_specs(self.settings), timeout=0.0)
        self.stores = [MemoryStore()] if stores is None else list(stores)
        self._services = dict(services)
        self.skew: dict[str, timedelta] = {}
        """By how much a service's clock is wrong."""
        self._jobs = jobs or {}
        self._job_seconds = job_seconds
        self._spans = spans
        self._runners: dict[str, InlineJobs] = {}
        self._loops: dict[str, ServiceLoop] = {name: self._loop(name) for name in self._services}

    def put(self, topic: Topic[M], message: M) -> None:
        """Writes the message as a client would."""
        self.put_bytes(topic, codec.encode(message), topic.key(message))

    def put_bytes(self, topic: Topic[Any], value: bytes, key: str = "") -> None:
        """Writes any bytes, for records that are not what they should be."""
        record = NewRecord(self.settings.full_name(topic.name), key.encode(), value)
        self.bus.producer("test").send([record], timeout=0.0)

    def run_until_idle(self) -> None:
        """Turns every service, in order, until no record moves at the present time."""
        for _ in range(MOST_ROUNDS):
            turned = [loop.turn(0.0) for loop in list(self._loops.values())]
            if not any(turned):
                return
        raise RuntimeError(f"still not idle after {MOST_ROUNDS} rounds: do two services answer each other for ever?")

    def turn(self, name: str) -> bool:
        """One turn of one service; whether there may be more for it to do at once."""
        return self._loops[name].turn(0.0)

    @property
    def running(self) -> tuple[str, ...]:
        """The services that are up, in the order of their start."""
        return tuple(self._loops)

    def run(self, now: datetime) -> None:
        """Sets the clock to `now` and runs until idle; ticks come once, at `now`."""
        self.now = max(now, self.now)
        self.run_until_idle()

    def advance(self, seconds: float, *, by: float | None = None) -> None:
        """Lets `seconds` pass, with a tick every `by` seconds (default: the settings' tick)."""
        end, stride = self.now + timedelta(seconds=seconds), timedelta(seconds=by or self.settings.tick_seconds)
        while self.now < end:
            self.run(min(self.now + stride, end))

    def messages(self, topic: Topic[M], *, since: int = 0) -> list[M]:
        """Every message of the topic, in the order written; without the first `since`."""
        return [codec.decode(topic, record.value) for record in self.records(topic)[since:]]

    def records(self, topic: Topic[Any]) -> list[Record]:
        """Every record of the topic, in the order written."""
        return self.bus.records(self.settings.full_name(topic.name))

    def service(self, name: str, partition: int | None = None) -> Service:
        """The running instance, to look at."""
        return self._loops[name].tasks.running[Task(name, partition)].host.service

    def hosts(self, name: str) -> list[TaskHost]:
        """The service's running tasks."""
        return [running.host for running in self._loops[name].tasks]

    def lost_jobs(self, name: str) -> list[str]:
        """Jobs that the service's tasks wait for and that nobody runs: none, between two turns."""
        runner = self._runners[name]
        waits = ((host.task, job) for host in self.hosts(name) for job in host.pending_jobs())
        return [f"{task.name} waits for {job.name} ({job.id})" for task, job in waits if not runner.runs(task, job)]

    def meters(self, name: str) -> Meters:
        """What the service's process would serve at `/metrics`."""
        return self._loops[name].parts.meter.meters

    def crash(self, name: str, make: Make | None = None) -> ServiceLoop:
        """Kills the service where it stands and starts it anew: its state comes from the log alone.

        What was polled and not committed is done again; a job that was running is started again.
        `make` replaces the service's maker, as a new release of it would. Returns what is left of the
        old process: turned again, it is one that was only thought dead.
        """
        left = self._loops[name]
        self._services[name] = make or self._services[name]
        self._loops[name] = self._loop(name)
        return left

    def stop(self, name: str) -> None:
        """Ends the service in an orderly way; `crash` starts it again."""
        self._loops.pop(name).drain()

    def _loop(self, name: str) -> ServiceLoop:
        jobs = InlineJobs(self._jobs.get(name, {}), self.settings, self.bus, self._job_seconds)
        self._runners[name] = jobs
        return loop_of(
            name,
            self._services[name],
            bus=self.bus,
            settings=self.settings,
            jobs=jobs,
            snapshots=Snapshots(self.stores, "memory", clock=self._seconds),
            clock=lambda: self.now + self.skew.get(name, timedelta(0)),
            rss=lambda: 0,
            processor=_stands_still,
            stopwatch=self._seconds,
            spans=self._spans(name),
        )

    def _seconds(self) -> float:
        return self.now.timestamp()
