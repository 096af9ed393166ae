"""What people ask for: it takes the same path as a policy's order, with the same limits and ledger."""

from __future__ import annotations

from typing import cast

from services.remediator.core import verification
from services.remediator.core.acting import MODEL_ACTIONS, Aim, issue, told
from services.remediator.core.deciding import pause, turn_of
from services.remediator.core.escalation import expire
from services.remediator.core.incidents import Diagnosis, Incident
from services.remediator.core.knowledge import Knowledge
from services.remediator.core.limits import SYSTEM, person_budget, reach
from services.remediator.core.orders import Order
from services.remediator.core.triage import RANKS
from services.remediator.core.turn import Turn
from shared.identity import stable_id
from shared.messages import ActionName, Request
from shared.pipeline.specification import Rung
from shared.pipeline.vocabulary import ACTIONS

ANSWERS = ("approve", "reject", "acknowledge")


def take_request(turn: Turn, request: Request) -> None:
    """Opens a person's incident, or takes a person's answer to an open one. What cannot be done is
    refused with the reason in the ledger. The same request again does nothing.
    """
    if request.action in ANSWERS:
        _answer(turn, request)
        return
    incident_id = stable_id("incident", request.pipeline, "request", request.id)
    if incident_id in turn.state.incidents:
        return
    why = _refusal(turn, request)
    if why:
        refuse(turn, request, why)
        return
    why = request.reason or f"{request.issued_by} asked"
    diagnosis = Diagnosis(name="request", cause="", what=request.action, rank=RANKS["request"], why=why)
    deadline = turn.now + turn.limits.request_within
    row = turn.row(request.pipeline)
    turn.put(
        Incident(
            id=incident_id, pipeline=request.pipeline, opened_at=turn.now, opened_row=row, since=turn.now,
            deadline=deadline, diagnosis=diagnosis, request=request,
        )
    )  # fmt: skip
    turn.record(
        "incident_opened", request.pipeline, f"{request.issued_by} asks for {request.action}", incident_id,
        request=request.id, issued_by=request.issued_by, action=request.action, arguments=told(request.arguments),
        reason=request.reason,
    )  # fmt: skip
    turn.move(incident_id, "triaged", f"asked for by {request.issued_by}", deadline)


def carry_out(turn: Turn, incident_id: str) -> None:
    """Gives the order that was asked for when it is its turn; past its deadline the request lapses."""
    incident = turn.incident(incident_id)
    request = incident.request
    if request is None:
        return
    known = turn.known(incident.pipeline)
    order = order_in(request, known)
    allowed = reach(order.action, order.arguments, known, turn.specification(incident.pipeline), turn.limits)
    if allowed.answer == "refuse":
        refuse(turn, request, allowed.why, incident_id)
        expire(turn, incident_id, allowed.why)
        return
    verdict, paused = turn_of(incident, order.action, turn.of(incident.pipeline))
    if verdict.answer == "wait":
        if incident.deadline is not None and turn.now >= incident.deadline:
            expire(turn, incident_id, f"not carried out in time: {verdict.why}")
        elif incident.why != verdict.why:
            turn.update(incident_id, why=verdict.why)
            turn.record("suppressed", incident.pipeline, f"not now: {verdict.why}", incident_id)
        return
    pause(turn, paused, incident_id)
    rung = Rung(action=order.action)
    aim = _aim(turn, incident, order, rung)
    issue(turn, incident_id, order, "act", incident.diagnosis.why, aim, turn.now + rung.deadline)


def order_in(request: Request, known: Knowledge) -> Order:
    """The order in a request, with what it leaves out filled in from what is known."""
    action = cast("ActionName", request.action)
    arguments: dict[str, object] = dict(request.arguments)
    if action == "rollback" and not arguments.get("to_version") and known.below is not None:
        arguments["to_version"] = known.below
    if action == "rollback":
        return Order(action, arguments, version=str(arguments.get("to_version") or "") or None)
    if action == "promote":
        return Order(
            action, arguments, version=str(arguments.get("version") or "") or None, fresh="candidate" in arguments
        )
    if action == "release_source" and not arguments.get("fields"):
        arguments["fields"] = list(known.quarantined.get(str(arguments.get("source")), ()))
    if action == "retrain":
        return Order(action, {"reason": request.reason or f"asked for by {request.issued_by}", **arguments}, fresh=True)
    return Order(action, arguments)


def refuse(turn: Turn, request: Request, why: str, incident_id: str = "") -> None:
    """Puts on record that a request is not carried out, and why."""
    turn.record(
        "request_refused", request.pipeline, f"{request.action} by {request.issued_by} refused: {why}", incident_id,
        request=request.id, action=request.action, issued_by=request.issued_by, reason=why,
        asked_incident=request.incident,
    )  # fmt: skip


def _refusal(turn: Turn, request: Request) -> str:
    if request.action not in ACTIONS:
        return f"there is no action {request.action!r}; there are {', '.join(sorted({*ACTIONS, *ANSWERS}))}"
    specification = turn.specification(request.pipeline)
    if specification is None and request.pipeline != SYSTEM:
        return f"there is no pipeline {request.pipeline!r}"
    if turn.limits.dry_run:
        return "everything is in dry run"
    known = turn.known(request.pipeline)
    order = order_in(request, known)
    allowed = reach(order.action, order.arguments, known, specification, turn.limits)
    if allowed.answer == "refuse":
        return allowed.why
    waiting = sum(one.request is not None and one.state == "triaged" for one in turn.of(request.pipeline))
    return _about_hold(turn, request, known) or person_budget(known, turn.now, turn.limits, waiting).why


def _about_hold(turn: Turn, request: Request, known: Knowledge) -> str:
    """Why a hold, or the end of one, would change nothing; empty where it would, or one that is under way may."""
    incidents = turn.of(request.pipeline)
    coming = {i.request.action for i in incidents if i.open and i.request is not None}
    coming |= {action.name for i in incidents for action in i.actions if action.outcome == "sent"}
    if request.action == "release_hold" and not known.held and "hold" not in coming:
        return f"nothing is held: {request.pipeline} learns"
    hold = known.hold
    if request.action == "hold" and hold is not None and hold.of_a_person and "release_hold" not in coming:
        by = hold.by.removeprefix("person:")
        return f"{request.pipeline} is on hold already, since {hold.since:%Y-%m-%d %H:%M:%S} UTC by {by} ({hold.why})"
    return ""


def _aim(turn: Turn, incident: Incident, order: Order, rung: Rung) -> Aim:
    """People's changes to a model are measured too: performance is to stay within the tolerance."""
    specification = turn.specification(incident.pipeline)
    known = turn.known(incident.pipeline)
    if specification is None or order.action not in MODEL_ACTIONS or known.live is None:
        return Aim()
    metric = f"performance.{specification.main_metric}"
    kept = verification.keeping(metric, known, specification, known.rows_seen + 1)
    if kept is None:
        return Aim()
    bound, loss = kept
    by = verification.until(rung, turn.now)
    expects = verification.expectation(metric, bound, rung.verify_rows, by)
    return Aim(expects=expects, baseline=loss.baseline, level=loss.baseline)


def _answer(turn: Turn, request: Request) -> None:
    incident = turn.state.incidents.get(request.incident or "")
    if incident is None or incident.pipeline != request.pipeline:
        refuse(turn, request, f"{request.pipeline} has no incident {request.incident!r}")
    elif request.action == "acknowledge":
        _acknowledge(turn, request, incident)
    elif incident.state != "awaiting_approval":
        by = f", approved by {incident.approved_by}" if incident.approved_by else ""
        why = f"incident {incident.id} does not wait for approval: it is {incident.state}{by}"
        refuse(turn, request, why, incident.id)
    elif request.action == "approve":
        turn.update(incident.id, approved_by=request.issued_by)
        turn.move(incident.id, "triaged", f"approved by {request.issued_by}", turn.now + turn.limits.wait_within)
        turn.record(
            "approved", incident.pipeline, f"approved by {request.issued_by}", incident.id,
            request=request.id, issued_by=request.issued_by, reason=request.reason,
        )  # fmt: skip
    else:
        turn.update(incident.id, told=True)
        why = f"rejected by {request.issued_by}" + (f": {request.reason}" if request.reason else "")
        turn.move(incident.id, "escalated", why, turn.now + turn.limits.escalated_within)
        turn.record("rejected", incident.pipeline, why, incident.id, request=request.id, issued_by=request.issued_by)


def _acknowledge(turn: Turn, request: Request, incident: Incident) -> None:
    if not incident.open:
        refuse(turn, request, f"incident {incident.id} is {incident.state} already", incident.id)
        return
    turn.update(incident.id, acknowledged_by=request.issued_by)
    if incident.state == "escalated":
        turn.update(incident.id, deadline=turn.now + turn.limits.escalated_within)
    turn.record(
        "acknowledged", incident.pipeline, f"acknowledged by {request.issued_by}", incident.id,
        request=request.id, issued_by=request.issued_by, reason=request.reason,
    )  # fmt: skip
