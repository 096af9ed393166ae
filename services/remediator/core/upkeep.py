"""What is due without any trouble: the live version is made anew from what has come since.

A slow loss takes long to prove, and more rows make a better model even where nothing changed. A policy
with ``when: {every: …}`` orders such a training. It goes the way of all orders: limits, the trainer's gate,
measured afterwards and taken back if performance did not keep; what comes to nothing troubles nobody.
"""

from __future__ import annotations

import msgspec

from services.remediator.core import verification
from services.remediator.core.acting import Aim, issue
from services.remediator.core.deciding import ask
from services.remediator.core.escalation import resolve
from services.remediator.core.incidents import UPKEEP, Diagnosis, Incident
from services.remediator.core.knowledge import Knowledge, withheld_inputs
from services.remediator.core.limits import consent, spending
from services.remediator.core.orders import Impossible, order_of
from services.remediator.core.triage import RANKS
from services.remediator.core.turn import Turn
from shared.identity import stable_id
from shared.pipeline.specification import Policy, Rung

MOST_DOUBLINGS = 6
LEAST_ROWS = 500
"""A version made from few rows is made anew when these have doubled, but not sooner than so many more came."""


def begin(turn: Turn, pipeline: str) -> None:
    """Opens an incident for the first policy that is due, unless trouble is being dealt with."""
    known = turn.known(pipeline)
    policy = next((p for p in turn.policies(pipeline) if p.when.every is not None and due(p, known, turn)), None)
    if policy is None or not _quiet(turn, known) or not policy.ladder:
        return
    if spending(policy, policy.ladder[0].action, known, turn.now, known.rows_seen).answer != "go":
        return
    rows = known.labelled_seen - known.trained_labelled
    why = f"{rows:,} labelled rows have come since version {known.live} was trained"
    incident = Incident(
        id=stable_id("incident", pipeline, UPKEEP, policy.name, known.labelled_seen, turn.now.isoformat()),
        pipeline=pipeline,
        opened_at=turn.now,
        opened_row=known.rows_seen,
        since=turn.now,
        deadline=turn.now + turn.limits.wait_within,
        diagnosis=Diagnosis(name=UPKEEP, cause="", what=known.live or "", rank=RANKS[UPKEEP], why=why),
        policy=policy.name,
    )
    turn.put(incident)
    turn.record("incident_opened", pipeline, f"upkeep: {why}", incident.id)
    turn.move(incident.id, "triaged", why, turn.now + turn.limits.wait_within)


def due(policy: Policy, known: Knowledge, turn: Turn) -> bool:
    """Whether `every` has passed since the last training: in labelled rows, or in time.

    Each training that came to nothing doubles it, up to `MOST_DOUBLINGS` times: what does not change is left alone.
    """
    every = policy.when.every
    if every is None or known.live is None or known.trained_at is None:
        return False
    passed = turn.now - known.trained_at
    if passed * turn.limits.upkeep_share < known.training_took:
        return False
    patience = 1 << min(MOST_DOUBLINGS, known.upkeep_missed)
    if every.time is not None:
        return passed >= every.time * patience
    rows = (every.rows or 0) * patience
    if known.trained_rows:
        rows = min(rows, max(LEAST_ROWS, known.trained_rows) * patience)
    return known.labelled_seen - known.trained_labelled >= rows


def carry_out(turn: Turn, incident_id: str) -> None:
    """Gives the order; when that came to nothing or was taken back, the incident is over."""
    incident = turn.incident(incident_id)
    policy, rung = turn.policy(incident), turn.rung(incident, incident.rung)
    if policy is None or rung is None:
        known = turn.known(incident.pipeline)
        turn.learn(msgspec.structs.replace(known, upkeep_missed=known.upkeep_missed + 1))
        resolve(turn, incident_id, f"version {known.live} goes on: {incident.why}")
        return
    aim = _aim(turn, incident, rung)
    order = order_of(_yielding(rung), incident, turn.known(incident.pipeline), turn.specification(incident.pipeline))
    if aim is None or isinstance(order, Impossible):
        resolve(turn, incident_id, "there is nothing to measure its effect by" if aim is None else order.why)  # type: ignore[union-attr]
        return
    agreed = consent(policy, bool(incident.approved_by), turn.limits)
    if agreed.answer == "suppress":
        turn.record("suppressed", incident.pipeline, f"{order.action} would have been ordered", incident_id)
        resolve(turn, incident_id, agreed.why)
    elif agreed.answer == "approve":
        ask(turn, incident_id, order, agreed.why)
    else:
        issue(turn, incident_id, order, "act", incident.diagnosis.why, aim, turn.now + rung.deadline)


def _yielding(rung: Rung) -> Rung:
    """The rung whose version is dropped where another one answers before it is made: that is not the one to refresh."""
    return rung.model_copy(update={"arguments": {"gives_way": True, **rung.arguments}})


def _quiet(turn: Turn, known: Knowledge) -> bool:
    """Whether nothing is under way that a training would disturb, or be disturbed by."""
    busy = any(incident.open and not _with_a_person(incident) for incident in turn.of(known.pipeline))
    specification = turn.specification(known.pipeline)
    labelled = specification is not None and specification.kind != "anomaly"
    return labelled and not busy and not known.held and not withheld_inputs(known, specification)


def _with_a_person(incident: Incident) -> bool:
    told = incident.last is not None and incident.last.name == "notify" and incident.state == "verifying"
    return incident.state == "escalated" or told


def _aim(turn: Turn, incident: Incident, rung: Rung) -> Aim | None:
    """Performance is to stay what it was, within the tolerance and what windows differ by anyway."""
    specification, known = turn.specification(incident.pipeline), turn.known(incident.pipeline)
    if specification is None:
        return None
    metric = f"performance.{specification.main_metric}"
    kept = verification.keeping(metric, known, specification, known.rows_seen + 1, doubt=True)
    if kept is None:
        return None
    bound, loss = kept
    expects = verification.expectation(metric, bound, rung.verify_rows, verification.until(rung, turn.now))
    return Aim(expects=expects, baseline=loss.baseline, level=loss.level)
