"""Breaks of what is promised of models, training and orders."""

from __future__ import annotations

from homeostat.simulation.faults import NO_FAULTS
from shared.messages import Command, CommandResult, ModelPublished, Prediction
from tests.simulation.breaks import (
    A_PERSON,
    BROKEN_FIELD,
    BROUGHT,
    CALM,
    CORRECTED,
    DOUBLED,
    FIRST_BREAKS,
    HELD,
    JOBS_KNOWN,
    LATER,
    OTHER_CONCEPT,
    OTHER_UNIT,
    TRAINER_AWAY,
    TRAINER_KILLED,
    UNREGISTERED,
    Break,
)
from tests.simulation.mutants.log import ForgetsEnds
from tests.simulation.mutants.models import (
    against_nobody,
    as_at_first,
    at_once,
    by_the_champion,
    careless,
    forgets_commands,
    forgets_jobs,
    goes_forward,
    in_a_hurry,
    lets_go,
    other_end,
    patient,
    promotes,
    quarantines,
    registers,
    says_twice,
    shadowless,
    the_canary_takes_all,
    turned,
    unchecking,
    unhindered,
    with_force,
    with_rows,
    worse,
)
from tests.simulation.mutants.wrapper import altered, messages, mutated, without

OF_MODELS = (
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
    Break("serving", BROUGHT, change=mutated("predictor", said=messages(Prediction, by_the_champion))),
    Break("serving", BROUGHT, change=mutated("predictor", given=the_canary_takes_all)),
    Break("own-answers", CALM, change=mutated("predictor", said=messages(Prediction, turned))),
    Break("own-answers", LATER, change=mutated("predictor", said=messages(Prediction, shadowless))),
    Break("one-number", OTHER_CONCEPT, change=mutated("trainer", said=messages(ModelPublished, altered(version="1")))),
    Break("gated", OTHER_CONCEPT, change=mutated("trainer", said=messages(ModelPublished, worse))),
    Break("judged", OTHER_CONCEPT, change=mutated("trainer", said=against_nobody)),
    Break("in-steps", LATER, change=mutated("trainer", said=messages(ModelPublished, at_once))),
    Break("taken-down", A_PERSON, change=mutated("trainer", given=with_force)),
    Break("goes-back", A_PERSON, change=mutated("remediator", said=messages(Command, goes_forward))),
    Break("held", A_PERSON, change=mutated("trainer", before=lets_go)),
    Break("held", HELD, change=mutated("trainer", before=lets_go)),
    Break("verified-artefacts", BROUGHT, NO_FAULTS, unchecking),
    Break("fits", BROUGHT, NO_FAULTS, careless),
    Break("said-why", CALM, change=mutated("trainer", said=messages(ModelPublished, altered(reason="")))),
    Break("clean-training", BROKEN_FIELD, change=mutated("trainer", said=messages(ModelPublished, with_rows(30)))),
    Break("clean-training", BROKEN_FIELD, change=mutated("trainer", said=messages(ModelPublished, with_rows(-30)))),
    Break("as-told", CALM, CORRECTED, mutated("trainer", said=messages(ModelPublished, as_at_first))),
    Break("clean-orders", BROKEN_FIELD, change=mutated("trainer", said=unhindered)),
    Break("clean-orders", BROKEN_FIELD, change=mutated("trainer", given=without("on_commands", quarantines))),
    Break("one-effect", OTHER_CONCEPT, change=mutated("trainer", said=messages(CommandResult, other_end))),
    Break(
        "one-effect",
        OTHER_CONCEPT,
        change=mutated("trainer", said=lambda _, step: says_twice(step) if promotes(step) else step),
    ),
    Break("one-effect", A_PERSON, DOUBLED, mutated("trainer", before=forgets_commands)),
    Break("one-effect", OTHER_UNIT, DOUBLED, mutated("ingest", before=lambda ingest: ingest._commands.clear())),
    Break("commands-end", BROKEN_FIELD, change=mutated("ingest", said=messages(CommandResult, lambda _: None))),
    Break("commands-end", OTHER_CONCEPT, TRAINER_AWAY, mutated("trainer", given=patient)),
    Break(
        "costs-told", OTHER_CONCEPT, change=mutated("trainer", said=messages(CommandResult, altered(cost_seconds=1)))
    ),
    Break("tried-again", CALM, FIRST_BREAKS, mutated("trainer", before=in_a_hurry)),
    Break("registered", CALM, UNREGISTERED, mutated("trainer", given=registers)),
    Break("jobs-done", CALM, TRAINER_KILLED, forgets_jobs),
    Break("jobs-done", CALM, change=mutated("trainer", given=without("on_metrics", lambda _: True))),
    Break("jobs-once", CALM, JOBS_KNOWN, store=ForgetsEnds),
)
