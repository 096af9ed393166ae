"""A deliberate break: in which world, under which plan, by what; and what came of it."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path

from homeostat.simulation.campaign import without_faults
from homeostat.simulation.faults import NO_FAULTS, Fault, Plan
from homeostat.simulation.ground import FailingBus, FailingStore
from homeostat.simulation.invariants import violations_in
from homeostat.simulation.ran import Run
from homeostat.simulation.run import Change, run_of
from homeostat.simulation.simulation import START, definition_of
from homeostat.simulation.world import World, build, input_of, request, specification_of
from shared.topics import PIPELINES

CALM = build("binary", "none", 0)
BROKEN_FIELD = build("binary", "unit-change", 0)
OTHER_CONCEPT = build("binary", "concept-change", 0)
A_PERSON = build("binary", "person", 0)
NO_LABELS = build("anomaly", "none", 0)
BROUGHT = build("regression", "person", 1)
"""A person brings versions from outside, some of which must not answer."""
ASKED = build("anomaly", "missing-values", 1)
"""Policies ask a person first."""
OTHER_UNIT = build("regression", "unit-change", 0)
WITHHELD = CALM.with_inputs(
    [*CALM.inputs, request(CALM.specification, "quarantine_source", 13.0, {"source": "*", "fields": ["load"]})]
)
"""A person withholds a field, whoever sends it."""
DEFINED_ANEW = CALM.with_inputs(
    [
        *CALM.inputs,
        input_of(PIPELINES, definition_of(specification_of("binary", features={"heat": "heat"}), 2, START), 15.0),
    ]
)
"""Another definition of the features comes in the middle."""
UNFAIR = build("binary", "unfair", 1)
"""One shift is answered worse than the other."""
NOISE = build("binary", "noise", 0)
"""Nothing can be learned any more."""
SCRIPT = build("binary", "script", 0)
"""A script asks for too much, and for what there is not."""
HELD = build("regression", "script", 0)
"""A pipeline is held before its first model, and while another is made."""
LATER = build("regression", "concept-change", 1)
"""Answers are told apart by shift, and what is trained takes its champion's place in steps."""
SENT_EARLY = build("regression", "person", 0)
CRASHES = tuple(
    Fault("crash", at, service=service, point="polled")
    for at, service in ((9.0, "ingest"), (13.0, "monitor"), (15.0, "predictor"), (21.0, "monitor"))
)
BURST = Plan(
    553,
    (
        Fault("labels-doubled", 10.976, 6.547, amount=0.228),
        Fault("burst", 19.724, 1.665),
        Fault("labels-doubled", 22.468, 8.831, amount=0.743),
        Fault("delay", 34.637, 8.963, service="ingest", amount=0.229),
    ),
    shuffled=True,
)
"""A quarantine is ordered and its rows have all come by then, some of them after the trouble has ended."""


def ordered(faults: tuple[Fault, ...] = ()) -> Plan:
    return Plan(1, faults, shuffled=False)


DOUBLED = ordered((Fault("commands-doubled", 2.0, 35.0, amount=0.5),))
EARLY_AND_CORRECTED = ordered(
    (Fault("labels-early", 10.0, 12.0, amount=0.9), Fault("labels-corrected", 2.0, 20.0, amount=0.9))
)
CORRECTED = ordered((Fault("labels-corrected", 0.5, 3.0, amount=0.9),))
"""Before the first training."""
RESULTS_DOUBLED = ordered((Fault("results-doubled", 2.0, 35.0, amount=0.5),))
UNKNOWN_YET = ordered((Fault("defined-late", 1.0, amount=0.3),))
CONFLICTS = ordered((Fault("conflict", 10.0, 6.0, amount=0.5),))
AWAY = Plan(3, (Fault("away", 13.0, 8.0, service="ingest"),), shuffled=False)
"""Meanwhile a person gives orders, and rows come."""
TRAINER_AWAY = ordered(tuple(Fault("away", at, 24.0, service="trainer") for at in (20.0, 45.0)))
JOBS_KNOWN = ordered((Fault("crash", 30.0, service="trainer"),))
"""After its first training."""
TRAINER_KILLED = ordered((Fault("crash", 4.0, service="trainer"),))
"""While its first training runs."""
FIRST_BREAKS = ordered((Fault("failing-job", 1.0, 8.0),))
"""The first training ends with an error."""
NO_TRAINING = ordered((Fault("failing-job", 15.0, 60.0),))
"""Every training but the first ends with an error."""
UNREGISTERED = ordered((Fault("failing-job", 6.5, 2.0),))
"""MLflow does not hear of the first version at once."""
LONG_AWAY = ordered((Fault("away", 14.0, 32.0, service="trainer"),))
"""For longer than a service may be silent."""
REPLACED = ordered((Fault("zombie", 12.0, service="ingest", point="committing", amount=0.9),))
"""A replica takes the place of a process that goes on."""
OTHER_BYTES = ordered(
    (Fault("disk-full", 10.0, 9.0, service="ingest", amount=0.9), Fault("redis-away", 10.0, 10.0, amount=0.1))
)
"""A snapshot is not what was written, and the service starts from it."""
ASTRAY = ordered((Fault("offsets-astray", 13.0, 2.0, service="ingest", amount=0.5),))


@dataclass(frozen=True)
class Break:
    """A deliberate break: in which world, under which plan, by what."""

    invariant: str
    world: World
    plan: Plan = NO_FAULTS
    change: Change = lambda services: services
    bus: type[FailingBus] = FailingBus
    store: type[FailingStore] = FailingStore


def run(case: Break, folder: Path) -> Run:
    made = run_of(case.world, case.plan, folder / "with", change=case.change, bus=case.bus, store=case.store)
    return replace(made, without=without_faults(case.world.name))


def broken(run: Run) -> set[str]:
    return {each.invariant for each in violations_in(run)}
