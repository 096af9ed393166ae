"""Breaks of what is promised of rows, labels and figures."""

from __future__ import annotations

from homeostat.simulation.faults import Fault, Plan
from shared.messages import Alert, DeadLetter, Features, Label, Metrics, Prediction
from tests.simulation.breaks import (
    BROKEN_FIELD,
    CALM,
    CONFLICTS,
    CRASHES,
    DEFINED_ANEW,
    EARLY_AND_CORRECTED,
    LATER,
    NO_LABELS,
    OTHER_CONCEPT,
    SENT_EARLY,
    UNKNOWN_YET,
    WITHHELD,
    Break,
    ordered,
)
from tests.simulation.mutants.data import (
    DropsConflicts,
    LastStands,
    TakesConflicts,
    by_batch,
    first_label_wins,
    first_waits,
    keeps_waiting,
    later_positions,
    leaking,
    never_over,
    of_one_source,
    other_label,
    other_slices,
    other_versions,
    raises,
    seeing,
    without_past,
)
from tests.simulation.mutants.log import EarlyBus, LosingBus, UnfencedBus
from tests.simulation.mutants.wrapper import altered, each, messages, mutated, without

OF_DATA = (
    Break("nothing-lost", CALM, bus=LosingBus),
    Break("one-fate", CALM, change=mutated("ingest", said=each("on_raw_data", lambda outs: outs[1:]))),
    Break("first-stands", CALM, CONFLICTS, mutated("ingest", before=seeing(TakesConflicts))),
    Break("first-stands", CALM, CONFLICTS, mutated("ingest", before=seeing(DropsConflicts))),
    Break("first-stands", CALM, CONFLICTS, mutated("ingest", before=seeing(LastStands))),
    Break("one-fate", CALM, ordered((Fault("crash", 12.0, service="ingest", point="committing"),)), bus=EarlyBus),
    Break("let-in", SENT_EARLY, UNKNOWN_YET, mutated("ingest", before=keeps_waiting)),
    Break("as-sent", CALM, change=mutated("ingest", said=messages(Label, other_label))),
    Break("as-sent", CALM, change=mutated("ingest", said=messages(Features, altered(source="plant-0")))),
    Break("as-sent", CALM, change=mutated("predictor", said=messages(Prediction, altered(entity="line-0")))),
    Break(
        "defined", DEFINED_ANEW, change=mutated("ingest", given=without("on_pipelines", lambda one: one.version > 1))
    ),
    Break("over-rows", CALM, change=mutated("ingest", said=messages(Features, without_past))),
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
    Break("no-handler-fails", CALM, change=mutated("monitor", given=raises)),
    Break("labels-once", CALM, change=mutated("monitor", said=messages(Metrics, altered(labelled_seen=5000)))),
    Break("last-label-wins", CALM, ordered((Fault("labels-corrected", 10.0, 12.0, amount=0.9),)), first_label_wins()),
    Break("last-label-wins", CALM, EARLY_AND_CORRECTED, mutated("monitor", before=first_waits)),
    Break("last-label-wins", LATER, change=mutated("monitor", said=messages(Metrics, other_slices))),
    Break("last-label-wins", LATER, change=mutated("monitor", said=messages(Metrics, other_versions))),
    Break("trouble-seen", OTHER_CONCEPT, change=mutated("monitor", said=messages(Alert, lambda _: None))),
    Break("trouble-seen", BROKEN_FIELD, change=mutated("monitor", said=messages(Alert, never_over))),
    Break("withheld", BROKEN_FIELD, change=mutated("ingest", said=messages(Features, leaking))),
    Break("withheld", WITHHELD, change=mutated("ingest", before=of_one_source)),
    Break("positions", CALM, change=mutated("monitor", said=messages(Metrics, later_positions))),
    Break(
        "as-without-faults",
        CALM,
        ordered(CRASHES),
        mutated("monitor", restored=lambda monitor: monitor.__init__(monitor._settings)),
    ),
    Break("features-as-without-faults", NO_LABELS, Plan(3, (), shuffled=True), mutated("ingest", said=by_batch)),
)
