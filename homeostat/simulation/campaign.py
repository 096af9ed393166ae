"""Many seeds: each run against its invariants, in several processes, and the sum of what was found."""

from __future__ import annotations

import logging
import tempfile
from collections import Counter
from collections.abc import Iterator, Sequence
from concurrent.futures import as_completed
from dataclasses import dataclass, field, replace
from functools import cache
from pathlib import Path

import structlog

from homeostat.simulation.faults import NO_FAULTS, plan_of
from homeostat.simulation.invariants.same import compared
from homeostat.simulation.invariants.table import Violation, violations_in
from homeostat.simulation.pinned import workers
from homeostat.simulation.ran import Run
from homeostat.simulation.run import run_of
from homeostat.simulation.world import STREAM_ENDS, World, build, world_of
from homeostat.simulation.written import digests_of, write


@dataclass(frozen=True, slots=True)
class Outcome:
    """What came of one seed. `error` is set where the run itself broke down."""

    seed: int
    world: str
    faults: tuple[str, ...]
    violations: tuple[Violation, ...] = ()
    error: str = ""
    digests: dict[str, str] = field(default_factory=dict)

    @property
    def held(self) -> bool:
        return not self.violations and not self.error


def command_for(seed: int, faults: Sequence[str]) -> str:
    """The command that runs this seed again."""
    chosen = f" --faults {','.join(faults)}" if faults else ""
    return f"homeostat sim run --seed {seed}{chosen}"


def outcome_of(seed: int, faults: tuple[str, ...] = (), out: Path | None = None, *, always: bool = False) -> Outcome:
    """Runs one seed and checks it. The run goes to `out` if it broke a promise, or `always`."""
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.CRITICAL))
    world, plan = world_of(seed), plan_of(seed, faults, until=STREAM_ENDS)
    names = tuple(dict.fromkeys(fault.name for fault in plan.faults))
    try:
        run = ran(world, seed, faults)
        if compared(plan):
            run = replace(run, without=without_faults(world.name))
    except Exception as error:  # noqa: BLE001 - a run that breaks down is a finding, and the other seeds go on
        return Outcome(seed, world.name, names, error=f"{type(error).__name__}: {error}")
    found = tuple(violations_in(run))
    if out is not None and (found or always):
        write(run, found, command_for(seed, faults), out)
    return Outcome(seed, world.name, names, found, digests=digests_of(run))


def ran(world: World, seed: int, faults: tuple[str, ...] = ()) -> Run:
    """The seed's run in this world."""
    with tempfile.TemporaryDirectory(prefix="homeostat-sim-") as folder:
        return run_of(world, plan_of(seed, faults, until=STREAM_ENDS), Path(folder))


@cache
def without_faults(name: str) -> Run:
    """The world of this name as it goes without faults."""
    kind, trouble, data = name.split("/")
    with tempfile.TemporaryDirectory(prefix="homeostat-sim-") as folder:
        world = build(kind, trouble, int(data))
        return run_of(world, NO_FAULTS, Path(folder), replayed=False)


def outcomes(seeds: Sequence[int], faults: tuple[str, ...], out: Path, processes: int) -> Iterator[Outcome]:
    """The outcome of each seed, as they come; runs that broke a promise are written below `out`."""
    with workers(processes) as pool:
        running = [pool.submit(outcome_of, seed, faults, out / f"seed-{seed}") for seed in seeds]
        for one in as_completed(running):
            yield one.result()


@dataclass
class Tally:
    """What many outcomes come to. `by_fault`: runs with it, and how many of these broke a promise."""

    runs: int = 0
    failed: list[Outcome] = field(default_factory=list)
    by_fault: Counter[str] = field(default_factory=Counter)
    failed_by_fault: Counter[str] = field(default_factory=Counter)
    by_invariant: Counter[str] = field(default_factory=Counter)

    def add(self, outcome: Outcome) -> None:
        self.runs += 1
        self.by_fault.update(outcome.faults)
        if not outcome.held:
            self.failed.append(outcome)
            self.failed_by_fault.update(outcome.faults)
            self.by_invariant.update({each.invariant for each in outcome.violations} or {"the run broke down"})
