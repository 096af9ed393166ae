"""The invariants by name."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import islice

from homeostat.simulation.invariants import (
    accounts,
    answers,
    bounds,
    content,
    costs,
    data,
    incidents,
    jobs,
    labels,
    ledger,
    left,
    log,
    models,
    orders,
    reach,
    releases,
    same,
    seen,
    training,
    withheld,
)
from homeostat.simulation.ran import Run

Check = Callable[[Run], Iterator[str]]
MOST_TOLD = 5


@dataclass(frozen=True, slots=True)
class Invariant:
    """`about` is the promise; `check` yields a sentence for each way in which a run breaks it."""

    name: str
    about: str
    check: Check


@dataclass(frozen=True, slots=True)
class Violation:
    invariant: str
    detail: str


_ALL = (
    Invariant("nothing-lost", "what a client wrote is on the topic, once for each time it wrote it", data.nothing_lost),
    Invariant("one-fate", "every raw record becomes features or a label, or one dead letter", data.one_fate),
    Invariant("first-stands", "the first row under an id stands: others are refused as conflicts", data.first_stands),
    Invariant("let-in", "no row is refused as of an unknown pipeline once its definition is read", data.let_in),
    Invariant("one-answer", "every features record has exactly one prediction, or one dead letter", data.one_answer),
    Invariant("unique", "no derived record is there twice", data.unique),
    Invariant("order", "outputs of a partition follow the order of what they were made from", data.order),
    Invariant("lineage", "every output names the record it was made from, and that record is it", data.lineage),
    Invariant("as-sent", "what is derived has the values, the source and the time that were sent", content.as_sent),
    Invariant("defined", "features are of the definition that was in force for their row", content.defined),
    Invariant("over-rows", "a feature over rows is that of its key's rows before it", content.over_rows),
    Invariant("whole-letters", "a dead letter has a reason, and the original key and bytes", data.whole_letters),
    Invariant("no-handler-fails", "nothing is refused because a handler raised", data.no_handler_fails),
    Invariant("offsets", "committed offsets never go back, and reach the end of the log", log.offsets),
    Invariant("fenced", "a process whose place another has taken commits nothing more, and ends", log.fenced),
    Invariant("steps", "a task's steps follow each other in time, and take each record once", log.steps),
    Invariant("rules-first", "a task that starts reads rules, models and commands before any data", log.rules_first),
    Invariant("pulses", "every service is alive when all has come to rest, whatever happened to its clock", log.pulses),
    Invariant("state-is-the-logs", "the state replayed from the log alone is the state that was live", bounds.replayed),
    Invariant(
        "said-as-the-log-says", "whatever was killed, services say what the log alone makes them say", bounds.retold
    ),
    Invariant("bounded", "no state is larger than it may be", bounds.bounded),
    Invariant("labels-once", "every label is counted once", labels.counted_once),
    Invariant(
        "last-label-wins", "the figures, also of slices and versions, are those of each last label", labels.last_wins
    ),
    Invariant("positions", "a window names the places where its rows begin", labels.positions),
    Invariant("withheld", "what is in quarantine is in no feature, and nothing else is missing", withheld.withheld),
    Invariant(
        "serving", "each row is answered by the version that was live for its entity when it was", models.serving
    ),
    Invariant("own-answers", "an answer is what the version that is named says of the row", answers.of_their_versions),
    Invariant(
        "verified-artefacts", "only registered, signed, undamaged artefacts answer, each as what it is", models.verified
    ),
    Invariant("fits", "no version is released that takes features of another definition", models.fits),
    Invariant("one-number", "a version's number stands for one model", releases.numbered),
    Invariant(
        "gated", "no version is released that its figures do not show to be better, but by force", releases.gated
    ),
    Invariant("judged", "a version was judged against the champion whose place it takes", releases.judged),
    Invariant("in-steps", "what is trained takes a champion's place by the steps of its release", releases.in_steps),
    Invariant("taken-down", "what was taken down comes back by force, or by a rollback to it", releases.taken_down),
    Invariant(
        "goes-back", "a person's rollback goes to the version below, never to what was taken down", releases.goes_back
    ),
    Invariant("held", "nothing is begun or released while a pipeline is held", releases.held),
    Invariant("said-why", "every change of the live version has a record that says why", models.said_why),
    Invariant("clean-training", "nothing is trained on quarantined rows", training.clean),
    Invariant("as-told", "a version learned from the rows and last labels that its lineage gives", training.as_told),
    Invariant("clean-orders", "no training is asked to take rows known to be quarantined", training.ordered),
    Invariant("one-effect", "a command acts at most once and ends at most once", orders.one_effect),
    Invariant("commands-end", "every command ends, by its deadline", orders.ended),
    Invariant("within-limits", "policies keep their cool-downs and budgets", accounts.within_limits),
    Invariant("within-reach", "no order is without a target, or takes more than may be taken at once", reach.within),
    Invariant("costs-told", "an order's end tells what all its jobs took", costs.told),
    Invariant("jobs-done", "what a service waits for is being done, and a first model comes", jobs.done),
    Invariant("jobs-once", "no job is begun after its end, and no end is forgotten", jobs.once),
    Invariant("tried-again", "a first model whose training broke is tried again, after a pause", jobs.tried_again),
    Invariant("registered", "MLflow hears of every version, if later", left.registered),
    Invariant("ledger", "the ledger's chain holds, and does not when one byte is changed", ledger.chain),
    Invariant(
        "ledger-tells-all", "every request, command and result stands in the ledger, and no other", ledger.tells_all
    ),
    Invariant("measured", "what is called verified was measured, or its alert has ended", accounts.measured),
    Invariant("trouble-seen", "what goes wrong in a world is told of, and over when it is over", seen.seen),
    Invariant("missed", "a service that falls silent is missed, and no more when it is back", seen.missed),
    Invariant("given-back", "what was put in force for a trouble ends with it", left.given_back),
    Invariant("good-news", "a person hears of what was healed without them", left.good_news),
    Invariant("incidents-end", "every incident is resolved, escalated or expired", incidents.ended),
    Invariant("people-are-told", "a person hears of every incident handed over", incidents.told),
    Invariant("never-alone", "no critical alert fires whose incidents are all resolved", incidents.never_alone),
    Invariant("asked-first", "where a person must approve, nothing is done before", incidents.asked_first),
    Invariant("as-without-faults", "a fault that should leave no trace leaves none", same.traceless),
    Invariant("features-as-without-faults", "features depend on what came in and on nothing else", same.features),
)
INVARIANTS: dict[str, Invariant] = {one.name: one for one in _ALL}


def violations_in(run: Run) -> list[Violation]:
    """Every promise that the run breaks, at most five ways of each."""
    return [Violation(one.name, detail) for one in INVARIANTS.values() for detail in islice(_told(one, run), MOST_TOLD)]


def _told(one: Invariant, run: Run) -> Iterator[str]:
    """What the check says; a run it can make nothing of has not kept the promise either."""
    try:
        yield from one.check(run)
    except Exception as error:  # noqa: BLE001 - topics may hold anything, and the other promises are checked all the same
        yield f"could not be checked: {type(error).__name__}: {error}"
