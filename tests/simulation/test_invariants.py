"""Every invariant catches the break of its promise, and none is broken where nothing is."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import msgspec
import pytest

from homeostat.simulation.campaign import without_faults
from homeostat.simulation.faults import NO_FAULTS, Fault, Plan
from homeostat.simulation.ground import FailingBus, FailingStore
from homeostat.simulation.invariants import INVARIANTS, violations_in
from homeostat.simulation.run import Change, Run, run_of
from homeostat.simulation.world import World, build, request
from services.ingest.core.quarantine import Quarantine
from shared.messages import AuditEntry, Command, CommandResult, DeadLetter, Features, Metrics, ModelPublished
from shared.models.store import FileStore
from shared.service import Step
from shared.topics import MODEL_PUBLISHED
from tests.simulation.mutants import (
    DropsConflicts,
    EarlyBus,
    ForgetfulBus,
    ForgetsEnds,
    HastyBus,
    JournallessBus,
    LastStands,
    LosingBus,
    Services,
    SilentBus,
    TakesConflicts,
    UnfencedBus,
    careless,
    deaf,
    each,
    first_waits,
    forgets_jobs,
    forgetting,
    keeps_waiting,
    leaking,
    messages,
    mutated,
    of_one_source,
    patient,
    seeing,
    unasked,
    unchecking,
    unhindered,
    unsigned,
    without,
)

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


def altered(**changes: Any) -> Callable[[Any], Any]:
    return lambda message: msgspec.structs.replace(message, **changes)


def ordered(faults: tuple[Fault, ...] = ()) -> Plan:
    return Plan(1, faults, shuffled=False)


DOUBLED = ordered((Fault("commands-doubled", 2.0, 35.0, amount=0.5),))
EARLY_AND_CORRECTED = ordered(
    (Fault("labels-early", 10.0, 12.0, amount=0.9), Fault("labels-corrected", 2.0, 20.0, amount=0.9))
)
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


@dataclass(frozen=True)
class Break:
    """A deliberate break: in which world, under which plan, by what."""

    invariant: str
    world: World
    plan: Plan = NO_FAULTS
    change: Change = lambda services: services
    bus: type[FailingBus] = FailingBus
    store: type[FailingStore] = FailingStore


def _first_label_wins() -> Change:
    def change(services: Services) -> Services:
        seen: set[str] = set()

        def known(label: Any) -> bool:
            again = label.id in seen
            seen.add(label.id)
            return again

        return mutated("monitor", given=without("on_labels", known))(services)

    return change


def _says_twice(step: Step) -> Step:
    return Step([one for out in step.messages for one in (out, out)], step.jobs)


def _other_end(result: CommandResult) -> CommandResult:
    return msgspec.structs.replace(result, state="succeeded" if result.state == "accepted" else result.state)


def _forgets_commands(trainer: Any) -> None:
    trainer._state = msgspec.structs.replace(trainer._state, handled={})


def _forgets_ends(remediator: Any) -> None:
    incidents = remediator._state.incidents
    for id_, incident in incidents.items():
        actions = tuple(msgspec.structs.replace(action, ends=()) for action in incident.actions)
        incidents[id_] = msgspec.structs.replace(incident, actions=actions)


def _later_positions(metrics: Metrics) -> Metrics:
    window = metrics.window
    later = {partition: offset + 1 for partition, offset in window.positions.items()}
    return msgspec.structs.replace(metrics, window=msgspec.structs.replace(window, positions=later))


def _with_rows(further: int) -> Callable[[ModelPublished], ModelPublished]:
    """As if rows had been trained on that may not be, or as if the ranges held others than those trained on."""

    def told(release: ModelPublished) -> ModelPublished:
        lineage = msgspec.structs.replace(release.lineage, rows=release.lineage.rows + further)
        return msgspec.structs.replace(release, lineage=lineage)

    return told


def _with_all(release: ModelPublished) -> ModelPublished:
    return msgspec.structs.replace(release, lineage=msgspec.structs.replace(release.lineage, excluded_ranges=()))


def _in_hindsight(entry: AuditEntry) -> AuditEntry:
    return msgspec.structs.replace(entry, summary="all was well") if entry.kind == "triaged" else entry


def _lets_all_in(ingest: Any) -> None:
    for intake in ingest._pipelines.values():
        intake.quarantine = Quarantine()


def _quarantines(command: Command) -> bool:
    return command.action == "quarantine_source"


def _raises(name: str, arguments: tuple[Any, ...]) -> tuple[Any, ...]:
    if name == "on_features" and any(message.id == "row-0300" for message in arguments[0].messages):
        raise ValueError("cannot take this row")
    return arguments


def _by_batch(name: str, step: Step) -> Step:
    if name != "on_raw_data":
        return step
    size = float(len(step.messages))
    return messages(Features, lambda row: msgspec.structs.replace(row, values={**row.values, "heat": size}))(name, step)


BREAKS = (
    Break("nothing-lost", CALM, bus=LosingBus),
    Break("one-fate", CALM, change=mutated("ingest", said=each("on_raw_data", lambda outs: outs[1:]))),
    Break("first-stands", CALM, CONFLICTS, mutated("ingest", before=seeing(TakesConflicts))),
    Break("first-stands", CALM, CONFLICTS, mutated("ingest", before=seeing(DropsConflicts))),
    Break("first-stands", CALM, CONFLICTS, mutated("ingest", before=seeing(LastStands))),
    Break("one-fate", CALM, ordered((Fault("crash", 12.0, service="ingest", point="committing"),)), bus=EarlyBus),
    Break("let-in", SENT_EARLY, UNKNOWN_YET, mutated("ingest", before=keeps_waiting)),
    Break("one-answer", CALM, change=mutated("predictor", said=each("on_features", lambda outs: outs[1:]))),
    Break("unique", CALM, change=mutated("predictor", said=each("on_features", lambda outs: outs + outs[-1:]))),
    Break("unique", CALM, ordered((Fault("zombie", 12.0, service="ingest", point="committing"),)), bus=UnfencedBus),
    Break("order", CALM, change=mutated("ingest", said=each("on_raw_data", lambda outs: outs[::-1]))),
    Break("lineage", CALM, change=mutated("ingest", said=messages(Features, altered(origin=(0, 3))))),
    Break(
        "whole-letters",
        CALM,
        ordered((Fault("poison", 10.0, 5.0, amount=0.5),)),
        mutated("ingest", said=messages(DeadLetter, altered(value=b""))),
    ),
    Break(
        "whole-letters",
        CALM,
        ordered((Fault("poison", 10.0, 5.0, amount=0.5),)),
        mutated("ingest", said=messages(DeadLetter, altered(key=None))),
    ),
    Break("no-handler-fails", CALM, change=mutated("monitor", given=_raises)),
    Break("offsets", CALM, bus=ForgetfulBus),
    Break("steps", CALM, bus=JournallessBus),
    Break("rules-first", A_PERSON, AWAY, bus=HastyBus),
    Break("pulses", CALM, bus=SilentBus),
    Break("state-is-the-logs", CALM, ordered(CRASHES), bus=JournallessBus),
    Break("state-is-the-logs", CALM, change=mutated("monitor", saved=forgetting("pipelines", "*", "lateness"))),
    Break("state-is-the-logs", CALM, change=mutated("monitor", saved=forgetting("system", "released"))),
    Break(
        "state-is-the-logs",
        OTHER_CONCEPT,
        change=mutated("remediator", saved=forgetting("knowledge", "*", "training_took")),
    ),
    Break("state-is-the-logs", CALM, change=mutated("trainer", saved=forgetting("pipelines", "*", "first_from_rows"))),
    Break("said-as-the-log-says", BROKEN_FIELD, change=mutated("ingest", restored=_lets_all_in)),
    Break("bounded", CALM, change=mutated("trainer", saved=lambda state: state + b" " * 3_000_000)),
    Break("labels-once", CALM, change=mutated("monitor", said=messages(Metrics, altered(labelled_seen=5000)))),
    Break("last-label-wins", CALM, ordered((Fault("labels-corrected", 10.0, 12.0, amount=0.9),)), _first_label_wins()),
    Break("last-label-wins", CALM, EARLY_AND_CORRECTED, mutated("monitor", before=first_waits)),
    Break("withheld", BROKEN_FIELD, change=mutated("ingest", said=messages(Features, leaking))),
    Break("withheld", WITHHELD, change=mutated("ingest", before=of_one_source)),
    Break(
        "serving",
        OTHER_CONCEPT,
        change=mutated("predictor", given=without("on_model_published", lambda _: True)),
    ),
    Break(
        "serving",
        BROUGHT,
        NO_FAULTS,
        mutated("predictor", given=without("on_model_published", lambda one: one.stage == "retired")),
    ),
    Break("verified-artefacts", BROUGHT, NO_FAULTS, unchecking),
    Break("fits", BROUGHT, NO_FAULTS, careless),
    Break("said-why", CALM, change=mutated("trainer", said=messages(ModelPublished, altered(reason="")))),
    Break("clean-training", BROKEN_FIELD, change=mutated("trainer", said=messages(ModelPublished, _with_rows(30)))),
    Break("clean-training", BROKEN_FIELD, change=mutated("trainer", said=messages(ModelPublished, _with_rows(-30)))),
    Break("clean-orders", BROKEN_FIELD, change=mutated("trainer", said=unhindered)),
    Break("clean-orders", BROKEN_FIELD, change=mutated("trainer", given=without("on_commands", _quarantines))),
    Break("one-effect", OTHER_CONCEPT, change=mutated("trainer", said=messages(CommandResult, _other_end))),
    Break(
        "one-effect",
        OTHER_CONCEPT,
        change=mutated("trainer", said=lambda _, step: _says_twice(step) if _promotes(step) else step),
    ),
    Break("one-effect", A_PERSON, DOUBLED, mutated("trainer", before=_forgets_commands)),
    Break("one-effect", OTHER_UNIT, DOUBLED, mutated("ingest", before=lambda ingest: ingest._commands.clear())),
    Break("commands-end", BROKEN_FIELD, change=mutated("ingest", said=messages(CommandResult, lambda _: None))),
    Break("commands-end", OTHER_CONCEPT, TRAINER_AWAY, mutated("trainer", given=patient)),
    Break("positions", CALM, change=mutated("monitor", said=messages(Metrics, _later_positions))),
    Break("jobs-done", CALM, TRAINER_KILLED, forgets_jobs),
    Break("jobs-done", CALM, change=mutated("trainer", given=without("on_metrics", lambda _: True))),
    Break("jobs-once", CALM, JOBS_KNOWN, store=ForgetsEnds),
    Break("ledger", BROKEN_FIELD, change=mutated("remediator", said=messages(AuditEntry, altered(previous="0" * 64)))),
    Break("ledger", BROKEN_FIELD, change=mutated("remediator", said=messages(AuditEntry, _in_hindsight))),
    Break("ledger-tells-all", BROKEN_FIELD, RESULTS_DOUBLED, mutated("remediator", before=_forgets_ends)),
    Break(
        "ledger-tells-all", BROKEN_FIELD, change=mutated("remediator", said=messages(Command, altered(id="command-x")))
    ),
    Break("incidents-end", OTHER_CONCEPT, change=deaf("remediator")),
    Break(
        "people-are-told",
        OTHER_CONCEPT,
        change=mutated("remediator", said=messages(Command, lambda one: None if one.action == "notify" else one)),
    ),
    Break("never-alone", OTHER_CONCEPT, change=mutated("remediator", given=without("on_alerts", lambda _: True))),
    Break("asked-first", ASKED, NO_FAULTS, unasked),
    Break(
        "as-without-faults",
        CALM,
        ordered(CRASHES),
        mutated("monitor", restored=lambda monitor: monitor.__init__(monitor._settings)),
    ),
    Break("features-as-without-faults", NO_LABELS, Plan(3, (), shuffled=True), mutated("ingest", said=_by_batch)),
)


def _promotes(step: Step) -> bool:
    return any(out.topic is MODEL_PUBLISHED and out.message.command is not None for out in step.messages)  # type: ignore[attr-defined]


def run(case: Break, folder: Path) -> Run:
    made = run_of(case.world, case.plan, folder / "with", change=case.change, bus=case.bus, store=case.store)
    return replace(made, without=without_faults(case.world.name))


def broken(run: Run) -> set[str]:
    return {each.invariant for each in violations_in(run)}


@pytest.mark.parametrize("case", BREAKS, ids=lambda case: case.invariant)
def test_the_break_of_a_promise_is_caught(case: Break, tmp_path: Path) -> None:
    assert case.invariant in broken(run(case, tmp_path))


def test_predictors_that_take_unsigned_models_are_caught(tmp_path: Path) -> None:
    store = FileStore(tmp_path / "with" / "artifacts")
    case = Break("verified-artefacts", CALM, change=lambda services: unsigned(services, store))

    assert "verified-artefacts" in broken(run(case, tmp_path))


def test_a_trainer_that_leaves_nothing_out_is_caught_by_its_rows(tmp_path: Path) -> None:
    made = run(Break("", BROKEN_FIELD, BURST, mutated("trainer", said=messages(ModelPublished, _with_all))), tmp_path)

    assert any("which were quarantined" in each.detail for each in violations_in(made))


def test_rows_after_the_monitor_saw_the_field_right_again_may_be_trained_on(tmp_path: Path) -> None:
    made = run(Break("", BROKEN_FIELD, BURST), tmp_path)

    assert "clean-training" not in broken(made)


def test_the_newest_of_rows_that_came_out_of_order_are_not_all_that_their_ranges_hold(tmp_path: Path) -> None:
    late = Plan(378, (Fault("out-of-order", 5.271, 5.438, amount=0.81),), shuffled=True)

    made = run(Break("", build("binary", "concept-change", 1), late), tmp_path)

    assert "clean-training" not in broken(made)


def test_there_is_a_break_for_every_invariant() -> None:
    tried = {case.invariant for case in BREAKS}

    assert tried == set(INVARIANTS)


@pytest.mark.parametrize("world", [CALM, BROKEN_FIELD, OTHER_CONCEPT, NO_LABELS], ids=lambda world: world.name)
def test_a_run_without_faults_keeps_every_promise(world: World, tmp_path: Path) -> None:
    assert violations_in(run(Break("", world), tmp_path)) == []
