"""One seeded run: the world's input, the plan's faults, the services in the scheduler's order, and what came of it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

from homeostat.simulation.assembly import jobs_of, services_of
from homeostat.simulation.faults import Plan
from homeostat.simulation.ground import (
    LATEST,
    FailingArtifacts,
    FailingBus,
    FailingStore,
    failing_jobs,
    job_seconds,
)
from homeostat.simulation.injector import Crash, Injector
from homeostat.simulation.inputs import disturbed
from homeostat.simulation.outside import Echo, Outside
from homeostat.simulation.people import Person
from homeostat.simulation.ran import Begun, Restart, Run
from homeostat.simulation.simulation import KEY, START
from homeostat.simulation.witness import Testimony, testimony
from homeostat.simulation.world import Input, World, knobs
from shared.bus.base import Fenced, NewRecord, Producer, Record
from shared.bus.factory import record_limits
from shared.bus.memory import MemoryReader
from shared.errors import Transient
from shared.messages import AuditEntry
from shared.runtime.host import Make
from shared.runtime.loop import ServiceLoop
from shared.runtime.memory import MemoryRuntime
from shared.runtime.tasks import RULES
from shared.service import Job
from shared.settings import CommonSettings
from shared.topics import AUDIT, COMMAND_RESULTS, COMMANDS, JOB_RESULTS, STEPS, TOPICS, Topic, group_of

PARTITIONS = 2
MOST_TURNS = 20_000
MOST_HOURS = 60
QUIET_ROUNDS = LATEST + 1
"""Rounds in which nothing moves after which all is at rest."""
TURNS_BESIDE = 3
SECONDS_BESIDE = 5.0
"""How long a process goes on whose place another has taken, if it is not told."""
SNAPSHOT_SECONDS = 4.0

Change = Callable[[dict[str, Make]], dict[str, Make]]
"""Another release of some services, for runs that try what an invariant catches."""


def run_of(
    world: World,
    plan: Plan,
    folder: Path,
    *,
    change: Change = lambda services: services,
    bus: type[FailingBus] = FailingBus,
    store: type[FailingStore] = FailingStore,
    replayed: bool = True,
) -> Run:
    """Runs the world under the plan. `folder` takes artefacts and must be empty. The same call, the same bytes.

    `change`, `bus` and `store` put other services, another log or other snapshots in the place of the usual
    ones. `replayed`: every task is made again from the log alone at the end, to be held against the one that lived.
    """
    running = _Running(disturbed(world, plan), plan, folder, change, bus, store)
    run = running.run()
    if not replayed:
        return run
    told = dict(running.replayed())
    return replace(
        run,
        differences={task: one.difference for task, one in told.items() if one.difference},
        said=tuple(each for one in told.values() for each in one.said),
    )


class _Running:
    def __init__(
        self,
        world: World,
        plan: Plan,
        folder: Path,
        change: Change,
        bus: type[FailingBus],
        store: type[FailingStore],
    ) -> None:
        self.world, self.plan = world, plan
        self.injector = Injector(plan)
        self.settings = CommonSettings(
            bootstrap_servers="memory",
            data_dir=folder,
            signing_key=KEY,
            data_partitions=PARTITIONS,
            snapshot_seconds=SNAPSHOT_SECONDS,
        )
        self.bus = bus(self.injector, record_limits(self.settings))
        self.store = FailingArtifacts(folder / "artifacts", self.injector)
        for artifact in world.artifacts:
            self.store.put(artifact)
        self.change = change
        self.runtime = MemoryRuntime(
            self._services(),
            jobs=failing_jobs(jobs_of(), self.injector),
            settings=self.settings,
            now=START,
            job_seconds=self._begins,
            bus=self.bus,
            stores=[store(self.injector, first=True), store(self.injector, first=False)],
        )
        self.client = self.bus.producer("client")
        self.outside = Outside(self.runtime)
        kind = world.specification.kind
        self.person = Person(strict=kind == "anomaly", silent=kind == "regression" and "missing" in world.name)
        self.starts: Counter[str] = Counter()
        self.starting: set[str] = set()
        self.restarts: list[Restart] = []
        self.begun: list[Begun] = []
        self.seconds_of = job_seconds(self.injector)
        self.echoes = _echoes(self.injector, self.client)
        self.settled: dict[tuple[str, int], int] = {}
        self.settled_ms = 0
        self.injector.take_over = self._taken_over
        self.beside: dict[str, ServiceLoop] = {}
        self.zombies: list[tuple[float, str, ServiceLoop]] = []
        self.undead: list[str] = []
        self.waiting = list(reversed(world.inputs))

    def run(self) -> Run:
        second = 0.0
        while second < self.world.ends or self._disturbed():
            self._set_clocks(second)
            self._kill_due(second)
            self._zombies_turn(second)
            self._write_due(second)
            self._until_idle()
            second += 1.0
        self._until_idle()  # the last pulses are read
        self.settled = _ends(self._records())
        self.settled_ms = int(self.runtime.now.timestamp() * 1000)
        self._let_deadlines_pass(second)
        return self._result()

    # -- one second

    def _disturbed(self) -> bool:
        return self.injector.paused()

    def _set_clocks(self, second: float) -> None:
        self.injector.now = second
        self.runtime.now = START + timedelta(seconds=second)
        self.runtime.skew = {
            fault.service: timedelta(hours=fault.amount)
            for fault in self.plan.faults
            if fault.name == "clock-jump" and fault.on(second)
        }

    def _write_due(self, second: float) -> None:
        """What clients send: while nothing can be written they try again, in their order."""
        if self.injector.paused():
            return
        while self.waiting and self.waiting[-1].at <= second:
            self._write(self.waiting.pop())
        self.outside.answer()
        if self.world.approvals:
            self._person_answers(second)
        for topic, echo in self.echoes:
            echo.tell(self.runtime.records(topic))

    def _person_answers(self, second: float) -> None:
        entries = self.runtime.messages(AUDIT, since=self.person.read)
        for answer in self.person.answers(entries, second):
            self._write(answer)

    def _write(self, one: Input) -> None:
        self.client.send([NewRecord(one.topic, one.key, one.value)], 0.0)

    def _kill_due(self, second: float) -> None:
        """Services that are killed by the clock: what snapshots and offsets are worth shows at a start."""
        for fault in self.plan.faults:
            at = {"away": fault.at, "offsets-astray": fault.at, "disk-full": fault.at + fault.seconds}.get(fault.name)
            if at is not None and second - 1.0 < at <= second:
                self.injector.struck.append(f"{fault.name} of {fault.service} at {second:g} s")
                self._start_again(fault.service)

    def _zombies_turn(self, second: float) -> None:
        """Processes whose place another has taken go on until they are told so."""
        left, self.zombies = self.zombies, []
        for until, name, loop in left:
            try:
                loop.turn(0.0)
            except (Crash, Fenced, Transient):
                continue
            if second < until:
                self.zombies.append((until, name, loop))
            else:
                self.undead.append(name)

    def _until_idle(self, without: str = "") -> None:
        quiet = 0
        for _ in range(MOST_TURNS):
            moved = [self._turned(name) for name in self._order() if name != without]
            quiet = 0 if any(moved) else quiet + 1
            if quiet == QUIET_ROUNDS:
                return
        raise RuntimeError(f"still not idle after {MOST_TURNS} rounds at {self.injector.now:g} s")

    def _order(self) -> list[str]:
        names = [name for name in self.runtime.running if not self.injector.stands_still(name)]
        if self.plan.shuffled:
            self.injector.rng.shuffle(names)
        return names

    def _turned(self, name: str) -> bool:
        """Whether there may be more to do. In order, a service is turned until it has no more."""
        more = moved = self._turn(name)
        while more and not self.plan.shuffled:
            more = self._turn(name)
        return moved

    def _turn(self, name: str) -> bool:
        started = self.starts[name]
        if name in self.starting:
            self._starts(name)
        try:
            self.injector.point("idle", name)
            more = self.runtime.turn(name)
        except (Crash, Fenced, Transient):
            self.beside.pop(name, None)
            if self.starts[name] == started:  # else another has its place already
                self._start_again(name)
            return True
        if (left := self.beside.pop(name, None)) is not None:
            self.zombies.append((self.injector.now + SECONDS_BESIDE, name, left))
        return more

    def _start_again(self, name: str, *, elsewhere: bool = False) -> ServiceLoop | None:
        """Another process of the service, in the same slot; or `elsewhere`, once, in that of a replica. Returns what is
        left of the one before, where that has lost its slot.
        """
        self.starts[name] += 1
        self.starting.add(name)
        moves = elsewhere and self.bus.move(self.settings.full_name(group_of(name)), self.settings.instance)
        left = self.runtime.crash(name, self._services()[name])
        return None if moves else left

    def _starts(self, name: str) -> None:
        self.starting.discard(name)
        rules = {topic.name: max((one.offset + 1 for one in self.runtime.records(topic)), default=0) for topic in RULES}
        self.restarts.append(Restart(name, len(self.runtime.records(STEPS)), rules))

    def _taken_over(self, name: str, elsewhere: bool) -> None:
        """A new process starts and works, while the old one stands still with what it has in hand."""
        left = self._start_again(name, elsewhere=elsewhere)
        for _ in range(TURNS_BESIDE):
            self._turn(name)
        if left is not None:
            self.beside[name] = left

    def _begins(self, job: Job) -> float:
        """How long the job takes, which begins now."""
        self.begun.append(Begun(job, len(self.runtime.records(STEPS)), len(self.runtime.records(JOB_RESULTS))))
        return self.seconds_of(job)

    def _let_deadlines_pass(self, second: float) -> None:
        """Hours in which nothing comes in and nothing is watched, until no incident is open."""
        for hour in range(1, MOST_HOURS):
            if not open_incidents(self.runtime.messages(AUDIT)):
                return
            self._set_clocks(second + 3600.0 * hour)
            self.outside.answer()
            self._until_idle(without="monitor")

    def _services(self) -> dict[str, Make]:
        """New makers: a new process has no model in memory."""
        return self.change(
            services_of(knobs(upkeep=self.world.upkeep, approvals=self.world.approvals), self.store, KEY)
        )

    # -- the end

    def _records(self) -> dict[str, tuple[Record, ...]]:
        return {topic.name: tuple(self.runtime.records(topic)) for topic in TOPICS}

    def _result(self) -> Run:
        records = self._records()
        reader = MemoryReader(self.bus)
        ends = {(t.name, p): end for t in TOPICS for p, end in reader.written_offsets(t.name).items()}
        return Run(
            world=replace(self.world, inputs=(*self.world.inputs, *self.person.asked)),
            plan=self.plan,
            records=records,
            commits=tuple(self.bus.commits),
            settled=self.settled,
            settled_ms=self.settled_ms,
            ends=ends,
            sizes={
                one.task.name: len(one.service.save())
                for name in self.runtime.running
                for one in self.runtime.hosts(name)
            },
            struck=tuple(self.injector.struck),
            restarts=tuple(self.restarts),
            undead=tuple(self.undead),
            begun=tuple(self.begun),
            ended_jobs={
                one.task.name: tuple(one.ended_jobs)
                for name in self.runtime.running
                for one in self.runtime.hosts(name)
            },
            lost_jobs=tuple(lost for name in self.runtime.running for lost in self.runtime.lost_jobs(name)),
            artifacts={path.name: path.read_bytes() for path in sorted(self.store.folder.glob("*"))},
        )

    def replayed(self) -> Iterator[tuple[str, Testimony]]:
        """What every task says and knows by the journal alone."""
        reader = self.bus.reader("replay")
        for name, make in self._services().items():
            for living in self.runtime.hosts(name):
                yield living.task.name, testimony(living, make, reader, self.settings)


def _echoes(injector: Injector, client: Producer) -> tuple[tuple[Topic[Any], Echo], ...]:
    return (
        (JOB_RESULTS, Echo(injector, "jobs-doubled", client)),
        (COMMANDS, Echo(injector, "commands-doubled", client, whole=True)),
        (COMMAND_RESULTS, Echo(injector, "results-doubled", client)),
    )


def _ends(records: Mapping[str, tuple[Record, ...]]) -> dict[tuple[str, int], int]:
    """After the last record of each partition; transaction markers do not count."""
    return {(name, record.partition): record.offset + 1 for name, found in records.items() for record in found}


def open_incidents(entries: Iterable[AuditEntry]) -> list[str]:
    """The incidents that the ledger has opened and not ended; a person's hands are no end yet."""
    open_: dict[str, None] = {}
    for entry in entries:
        if entry.kind == "incident_opened":
            open_[entry.incident] = None
        elif entry.kind in ("incident_resolved", "incident_expired"):
            open_.pop(entry.incident, None)
    return list(open_)
