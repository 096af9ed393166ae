"""Breaks of what is promised of the log, of state, of the ledger and of incidents."""

from __future__ import annotations

from homeostat.simulation.faults import NO_FAULTS
from shared.messages import AuditEntry, Command
from tests.simulation.breaks import (
    A_PERSON,
    ASKED,
    AWAY,
    BROKEN_FIELD,
    CALM,
    CRASHES,
    OTHER_CONCEPT,
    RESULTS_DOUBLED,
    Break,
    ordered,
)
from tests.simulation.mutants.control import (
    acts_again,
    all_verified,
    deaf,
    forgets_ends,
    holds,
    in_hindsight,
    unasked,
    without_results,
)
from tests.simulation.mutants.data import lets_all_in
from tests.simulation.mutants.log import BackwardBus, ForgetfulBus, HastyBus, JournallessBus, SilentBus
from tests.simulation.mutants.wrapper import altered, forgetting, messages, mutated, without

OF_CONTROL = (
    Break("offsets", CALM, bus=ForgetfulBus),
    Break("steps", CALM, bus=JournallessBus),
    Break("steps", CALM, bus=BackwardBus),
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
    Break("said-as-the-log-says", BROKEN_FIELD, change=mutated("ingest", restored=lets_all_in)),
    Break("bounded", CALM, change=mutated("trainer", saved=lambda state: state + b" " * 3_000_000)),
    Break("ledger", BROKEN_FIELD, change=mutated("remediator", said=messages(AuditEntry, altered(previous="0" * 64)))),
    Break("ledger", BROKEN_FIELD, change=mutated("remediator", said=messages(AuditEntry, in_hindsight))),
    Break("ledger-tells-all", BROKEN_FIELD, RESULTS_DOUBLED, mutated("remediator", before=forgets_ends)),
    Break(
        "ledger-tells-all", BROKEN_FIELD, change=mutated("remediator", said=messages(Command, altered(id="command-x")))
    ),
    Break("ledger-tells-all", BROKEN_FIELD, change=mutated("remediator", said=messages(AuditEntry, without_results))),
    Break("ledger-tells-all", A_PERSON, change=mutated("remediator", given=without("on_requests", holds))),
    Break("measured", OTHER_CONCEPT, change=mutated("remediator", said=messages(AuditEntry, all_verified))),
    Break("within-limits", BROKEN_FIELD, change=mutated("remediator", said=acts_again)),
    Break("incidents-end", OTHER_CONCEPT, change=deaf("remediator")),
    Break(
        "people-are-told",
        OTHER_CONCEPT,
        change=mutated("remediator", said=messages(Command, lambda one: None if one.action == "notify" else one)),
    ),
    Break("never-alone", OTHER_CONCEPT, change=mutated("remediator", given=without("on_alerts", lambda _: True))),
    Break("asked-first", ASKED, NO_FAULTS, unasked),
)
