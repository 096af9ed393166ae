"""What to do next in an incident that waits for a decision: policy, limits, its turn, then the order."""

from __future__ import annotations

from collections.abc import Iterable

import msgspec

from services.remediator.core.acting import MODEL_ACTIONS, aim_of, issue, next_rung, withhold_everywhere
from services.remediator.core.escalation import escalate, expire, resolve, tell
from services.remediator.core.incidents import Incident, with_action
from services.remediator.core.judging import follow_up, lead_resolved, wind_down
from services.remediator.core.knowledge import withheld_inputs
from services.remediator.core.limits import GO, Verdict, consent, reach, spending
from services.remediator.core.orders import Impossible, Order, order_of
from services.remediator.core.policies import only_watched, policy_for
from services.remediator.core.returning import on_return
from services.remediator.core.triage import diagnosis_of
from services.remediator.core.turn import Turn
from services.remediator.core.wording import about_of, subject, under_way
from shared.durations import in_words
from shared.pipeline.specification import Policy, Rung

URGENT = ("service_down", "load", "bad_field", "refused_rows", "bad_labels", "bad_version", "request")
"""Diagnoses that do not wait for a retrain to show its effect."""

TRAININGS = ("retrain", "recalibrate")
"""Orders that a trainer carries out one at a time. What it does to versions that are there it does at once."""

_AT_WORK = ("acting", "verifying", "undoing")


def decide(turn: Turn, incident_id: str) -> None:
    """Takes the incident one step on from ``triaged``, or leaves it waiting with the reason."""
    incident = turn.incident(incident_id)
    if lead_resolved(incident):
        if not follow_up(turn, incident_id, "what led has resolved"):
            wind_down(
                turn,
                incident_id,
                "its alert ended before anything was done" if not incident.actions else "the alert has resolved",
            )
        return
    if _watched_now(turn, incident):
        why = "what is left of the trouble is only watched"
        if not follow_up(turn, incident_id, why):
            wind_down(turn, incident_id, why)
        return
    policy, rung = _policy_and_rung(turn, incident)
    if policy is None or rung is None:
        escalate(turn, incident_id, _no_way_on(incident, policy))
        return
    if incident.policy != policy.name:
        incident = turn.update(incident_id, policy=policy.name)
    if incident.reopened > turn.limits.max_reopens:
        escalate(turn, incident_id, f"it came back {incident.reopened} times: what is done about it does not last")
        return
    order = order_of(rung, incident, turn.known(incident.pipeline), turn.specification(incident.pipeline))
    if isinstance(order, Impossible):
        _pass_over(turn, incident_id, rung, order.why)
        return
    _weigh(turn, incident_id, policy, rung, order)


def await_approval(turn: Turn, incident_id: str) -> None:
    """An incident that waits for a person: it ends with its trouble, or with its time."""
    incident = turn.incident(incident_id)
    if lead_resolved(incident) or _watched_now(turn, incident):
        why = "its alert ended, or is only watched by now, before anybody approved"
        turn.move(incident_id, "triaged", why, turn.now + turn.limits.wait_within)
    elif incident.deadline is not None and turn.now >= incident.deadline:
        expire(turn, incident_id, f"nobody approved {incident.policy} within {in_words(turn.limits.approval_within)}")


def wait(turn: Turn, incident_id: str, verdict: Verdict) -> None:
    """Leaves the incident where it is, with the reason. Past its deadline a person is called, but for no wait that
    passes as rows come: on a stream of a row an hour, a cool-down of 1,000 rows takes six weeks and needs nobody.
    """
    incident, row = turn.incident(incident_id), turn.row(turn.incident(incident_id).pipeline)
    overdue = incident.deadline is not None and turn.now >= incident.deadline
    within = turn.limits.rows_within if verdict.passes else turn.limits.wait_within
    if overdue and incident.why == verdict.why and not (verdict.passes and row > incident.waits_from):
        escalate(turn, incident_id, f"it has waited {in_words(within)}: {verdict.why}")
        return
    if overdue or incident.why != verdict.why:
        turn.update(incident_id, why=verdict.why, deadline=turn.now + within, waits_from=row)
    if incident.why != verdict.why:
        turn.record("suppressed", incident.pipeline, f"not now: {verdict.why}", incident_id)


def turn_of(incident: Incident, action: str, others: Iterable[Incident]) -> tuple[Verdict, list[str]]:
    """Whether it is this incident's turn among the others of its pipeline, and whom it would pause.

    One at a time acts. Bad data, a bad version or a person pauses a retrain whose effect is pending;
    what merely contains (a quarantine that waits for its field) holds up nothing but retraining. While a bad version
    answers, nothing else can be measured: going back from it pauses whatever is.
    """
    paused = []
    for other in others:
        last = other.last
        if other.id == incident.id or last is None or other.state not in _AT_WORK:
            continue
        if other.paused_by and other.state == "verifying":
            continue
        touches_model = last.name in MODEL_ACTIONS or (last.role == "release" and other.state == "verifying")
        in_the_way = touches_model and other.request is None
        training = last.name in TRAININGS and last.role == "act"
        if training and other.state == "acting" and action in TRAININGS:
            return Verdict("wait", under_way(other, last), passes=True), []
        if training and incident.diagnosis.name in URGENT:
            if action in MODEL_ACTIONS or action in ("quarantine_source", "release_source"):
                paused.append(other.id)
        elif other.state == "verifying" and (other.upkeep or (in_the_way and _leaves_a_bad_version(incident, action))):
            paused.append(other.id)
        elif other.state != "verifying" or (in_the_way and not _harmless(action)):
            return Verdict("wait", under_way(other, last), passes=True), []
    return GO, paused


def _leaves_a_bad_version(incident: Incident, action: str) -> bool:
    return incident.diagnosis.name == "bad_version" and action == "rollback"


def _weigh(turn: Turn, incident_id: str, policy: Policy, rung: Rung, order: Order) -> None:
    incident = turn.incident(incident_id)
    known, row = turn.known(incident.pipeline), turn.row(incident.pipeline)
    allowed = reach(order.action, order.arguments, known, turn.specification(incident.pipeline), turn.limits)
    if allowed.answer == "refuse":
        _pass_over(turn, incident_id, rung, allowed.why)
        return
    back = on_return(turn, incident, rung) if order.action == "retrain" else None
    if back is not None and back.answer == "met":
        wind_down(turn, incident_id, back.why)
        return
    measured_first = GO if back is None else Verdict("wait", back.why, passes=True)
    spend = spending(policy, order.action, known, turn.now, row)
    if spend.answer == "refuse" and back is None:
        _spent_out(turn, incident_id, order, spend)
        return
    its_turn, paused = turn_of(incident, order.action, turn.of(incident.pipeline))
    for verdict in (spend, _learning_is_blocked(turn, incident, order.action), its_turn, measured_first):
        if verdict.answer == "wait":
            wait(turn, incident_id, verdict)
            return
    agreed = consent(policy, bool(incident.approved_by), turn.limits)
    if agreed.answer == "suppress":
        _rehearse(turn, incident_id, order, agreed.why)
    elif agreed.answer == "approve":
        ask(turn, incident_id, order, agreed.why)
    else:
        pause(turn, paused, incident_id)
        why = incident.diagnosis.why or incident.diagnosis.name
        issue(turn, incident_id, order, "act", why, aim_of(turn, incident, rung), turn.now + rung.deadline)
        withhold_everywhere(turn, incident_id, incident.diagnosis)


def _spent_out(turn: Turn, incident_id: str, order: Order, spend: Verdict) -> None:
    """The budget allows no more. Before a person is called, a version that upkeep is just making may still help."""
    incident = turn.incident(incident_id)
    refreshing = next(
        (other.id for other in turn.of(incident.pipeline) if other.upkeep and other.state in _AT_WORK), ""
    )
    if refreshing and order.action == "retrain":
        why = f"{spend.why}; the version that {refreshing} makes or measures may help"
        wait(turn, incident_id, Verdict("wait", why, passes=True))
    else:
        escalate(turn, incident_id, spend.why)


def pause(turn: Turn, incident_ids: Iterable[str], by: str) -> None:
    """Stops the clocks of these incidents for a more urgent one. Upkeep gives way for good."""
    for paused in incident_ids:
        if turn.incident(paused).upkeep:
            _give_way(turn, paused, by)
            continue
        incident = turn.update(paused, paused_by=by)
        why = f"paused: {by} is more urgent ({_about(turn.incident(by))})"
        turn.record("suppressed", incident.pipeline, why, paused)


def _about(incident: Incident) -> str:
    return (
        incident.diagnosis.name.replace("_", " ")
        if incident.request is None
        else f"{incident.diagnosis.what} asked for"
    )


def _give_way(turn: Turn, incident_id: str, by: str) -> None:
    incident = turn.incident(incident_id)
    if incident.last is not None and incident.state == "acting":
        turn.put(with_action(incident, msgspec.structs.replace(incident.last, outcome="superseded")))
    resolve(turn, incident_id, f"{by} takes over ({_about(turn.incident(by))})")
    turn.update(incident_id, paused_by=by)


def resume(turn: Turn, incident_id: str) -> bool:
    """Starts a paused incident's clock again once what paused it is over, which has deadlines of its own; measuring
    begins anew.
    """
    incident = turn.incident(incident_id)
    if incident.state == "escalated":
        turn.update(incident_id, paused_by="")
        return True
    by = turn.state.incidents.get(incident.paused_by)
    action = incident.last
    done = by is None or not by.open or by.state == "escalated" or (by.request is not None and by.state == "verifying")
    if not done:
        return False
    turn.update(incident_id, paused_by="")
    why = f"{incident.paused_by} is over"
    if incident.state == "verifying" and action is not None and action.expects is not None:
        row = turn.row(incident.pipeline)
        renewed = msgspec.structs.replace(action, from_row=row, fresh=False, measured_rows=0)
        turn.update(incident_id, actions=tuple(renewed if a.command == action.command else a for a in incident.actions))
        within = action.expects.by - action.deadline
        why += ": measuring begins anew"
        turn.move(incident_id, "verifying", why, turn.now + within)
    turn.record("resumed", incident.pipeline, why, incident_id)
    return True


def _policy_and_rung(turn: Turn, incident: Incident) -> tuple[Policy | None, Rung | None]:
    lead = incident.leading
    policy = turn.policy(incident)
    if policy is None and lead is not None:
        policy = policy_for(lead, incident.diagnosis, turn.policies(incident.pipeline))
    if policy is None:
        return None, None
    return policy, policy.ladder[incident.rung] if incident.rung < len(policy.ladder) else None


def _watched_now(turn: Turn, incident: Incident) -> bool:
    """Whether its alert, grave when it opened, is by now one for which nothing is to be done."""
    lead = incident.leading
    if lead is None:
        return False
    diagnosis = diagnosis_of(lead, turn.known(incident.pipeline), turn.specification(incident.pipeline))
    return only_watched(lead, diagnosis, turn.policies(incident.pipeline))


def _no_way_on(incident: Incident, policy: Policy | None) -> str:
    lead, cause = incident.leading, incident.diagnosis.cause
    if policy is None and lead is not None:
        about = f"whose first cause is a {cause}" if cause else "without a known cause"
        return (
            f"no policy answers {lead.kind} alerts of severity {lead.severity} {about}; the specification may name one"
        )
    if policy is None:
        return f"no policy answers {incident.diagnosis.name}; the specification may name one"
    return f"policy {policy.name} has nothing more to try: {incident.why}"


def _learning_is_blocked(turn: Turn, incident: Incident, action: str) -> Verdict:
    known = turn.known(incident.pipeline)
    if action in TRAININGS and (running := _runs_still(turn, incident)):
        why = f"the training of {running}, which nobody waits for any more, still runs"
        return Verdict("wait", why, passes=True)
    if action != "retrain":
        return GO
    if known.held:
        return Verdict("wait", "learning is on hold")
    if inputs := withheld_inputs(known, turn.specification(incident.pipeline)):
        withheld = "; ".join(f"{', '.join(fields)} of {source}" for source, fields in sorted(inputs.items()))
        return Verdict("wait", f"no retraining while {withheld} is in quarantine")
    return GO


def _runs_still(turn: Turn, incident: Incident) -> str:
    """The incident whose superseded training may still run: it has no answer, and the trainer does one at a time."""
    for other in turn.of(incident.pipeline):
        for action in other.actions:
            superseded = action.name in TRAININGS and action.outcome == "superseded" and not action.ends
            if superseded and turn.now < action.deadline:
                return other.id
    return ""


def _harmless(action: str) -> bool:
    return action in ("quarantine_source", "hold", "notify", "restart_service", "scale_service")


def _pass_over(turn: Turn, incident_id: str, rung: Rung, why: str) -> None:
    incident = turn.incident(incident_id)
    said = f"{rung.action} is passed over: {why}"
    turn.record("suppressed", incident.pipeline, said, incident_id, action=rung.action)
    next_rung(turn, incident_id, why)


def _rehearse(turn: Turn, incident_id: str, order: Order, why: str) -> None:
    incident = turn.incident(incident_id)
    if incident.why != why:
        turn.update(incident_id, why=why)
        turn.record(
            "suppressed", incident.pipeline, f"{order.action} would have been ordered: {why}", incident_id,
            action=order.action, arguments=order.arguments,
        )  # fmt: skip
    elif incident.deadline is not None and turn.now >= incident.deadline:
        expire(turn, incident_id, f"{why}, and the trouble has not passed by itself")


def ask(turn: Turn, incident_id: str, order: Order, why: str) -> None:
    incident = turn.move(incident_id, "awaiting_approval", why, turn.now + turn.limits.approval_within)
    turn.record(
        "awaiting_approval", incident.pipeline, f"{order.action} waits for approval: {why}", incident_id,
        action=order.action, arguments=order.arguments, deadline=incident.deadline,
    )  # fmt: skip
    message = (
        f"{subject(incident.pipeline)}: {about_of(incident)}. {order.action} waits for your approval until "
        f"{incident.deadline:%Y-%m-%d %H:%M} UTC: homeostat incidents approve {incident.id} (or reject)."
    )
    tell(turn, incident_id, message, "warning", "approval")
