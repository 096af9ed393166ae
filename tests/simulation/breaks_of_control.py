"""Breaks of what is promised of the log, of state, of the ledger and of incidents."""

from __future__ import annotations

from datetime import timedelta

from homeostat.simulation.faults import NO_FAULTS, Fault
from shared.messages import Alert, AuditEntry, Command
from shared.pipeline.span import Span
from shared.pipeline.specification import Budget
from tests.simulation.breaks import (
    A_PERSON,
    ASKED,
    ASTRAY,
    AWAY,
    BROKEN_FIELD,
    CALM,
    CRASHES,
    LONG_AWAY,
    NO_TRAINING,
    NOISE,
    OTHER_BYTES,
    OTHER_CONCEPT,
    REPLACED,
    RESULTS_DOUBLED,
    SCRIPT,
    UNFAIR,
    Break,
    ordered,
)
from tests.simulation.mutants.control import (
    acts_again,
    all_verified,
    as_a_policy,
    deaf,
    forgets_ends,
    holds,
    in_hindsight,
    not_of,
    of_everything,
    to_another,
    unasked,
    unspoken,
    with_limits,
    with_policies,
    without_costs,
    without_results,
)
from tests.simulation.mutants.data import lets_all_in
from tests.simulation.mutants.log import (
    BackwardBus,
    EpochlessBus,
    ForgetfulBus,
    GroupBus,
    HastyBus,
    JournallessBus,
    OwnerlessBus,
    SilentBus,
    TrustingStore,
    UnfencedBus,
)
from tests.simulation.mutants.wrapper import altered, forgetting, messages, mutated, without

OF_CONTROL = (
    Break("offsets", CALM, bus=ForgetfulBus),
    Break("steps", CALM, bus=JournallessBus),
    Break("steps", CALM, bus=BackwardBus),
    Break("rules-first", A_PERSON, AWAY, bus=HastyBus),
    Break("pulses", CALM, bus=SilentBus),
    Break("state-is-the-logs", CALM, ordered(CRASHES), bus=JournallessBus),
    Break("state-is-the-logs", CALM, change=mutated("monitor", saved=forgetting("pipelines", "*", "lateness"))),
    Break("fenced", CALM, ordered((Fault("zombie", 12.0, service="ingest", point="committing"),)), bus=UnfencedBus),
    Break("fenced", CALM, ordered((Fault("zombie", 12.0, service="ingest", point="idle"),)), bus=EpochlessBus),
    Break("steps", CALM, REPLACED, bus=OwnerlessBus),
    Break("steps", CALM, ASTRAY, bus=GroupBus),
    Break("state-is-the-logs", CALM, OTHER_BYTES, store=TrustingStore),
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
    Break("ledger-tells-all", BROKEN_FIELD, change=mutated("remediator", said=messages(AuditEntry, without_costs))),
    Break("ledger-tells-all", A_PERSON, change=mutated("remediator", said=messages(Command, as_a_policy))),
    Break("measured", OTHER_CONCEPT, change=mutated("remediator", said=messages(AuditEntry, all_verified))),
    Break("within-limits", BROKEN_FIELD, change=mutated("remediator", said=acts_again)),
    Break("within-limits", NOISE, change=with_policies(cooldown=Span(time=timedelta(0)))),
    Break("within-limits", OTHER_CONCEPT, NO_TRAINING, with_policies(budget=Budget(actions=9))),
    Break("within-limits", SCRIPT, change=with_limits(person_actions_per_hour=30)),
    Break("within-reach", BROKEN_FIELD, change=mutated("remediator", said=messages(Command, of_everything))),
    Break("within-reach", SCRIPT, change=with_limits(quarantine_share=1.0)),
    Break("missed", CALM, LONG_AWAY, mutated("monitor", said=messages(Alert, not_of("service_down")))),
    Break("trouble-seen", UNFAIR, change=mutated("monitor", said=messages(Alert, not_of("fairness")))),
    Break("given-back", BROKEN_FIELD, change=mutated("remediator", said=messages(Command, to_another))),
    Break("good-news", BROKEN_FIELD, change=mutated("remediator", said=messages(Command, unspoken))),
    Break("incidents-end", OTHER_CONCEPT, change=deaf("remediator")),
    Break(
        "people-are-told",
        OTHER_CONCEPT,
        change=mutated("remediator", said=messages(Command, unspoken)),
    ),
    Break("never-alone", OTHER_CONCEPT, change=mutated("remediator", given=without("on_alerts", lambda _: True))),
    Break("asked-first", ASKED, NO_FAULTS, unasked),
)
