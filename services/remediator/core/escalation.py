"""The ways an incident ends, and the calling of a person: once, with the reason, and in the ledger."""

from __future__ import annotations

from datetime import timedelta
from typing import Literal

from services.remediator.core.ending import WORDS, done_in, ending_of
from services.remediator.core.incidents import Action, Incident, with_action
from services.remediator.core.limits import flap_rows
from services.remediator.core.postmortem import advice, postmortem
from services.remediator.core.turn import Turn
from services.remediator.core.wording import about_of, sentence, subject
from shared.identity import stable_id
from shared.messages import Command, Severity

TELL_WITHIN = timedelta(hours=1)

Occasion = Literal["escalated", "approval", "expired", "request", "ended"]


def tell(turn: Turn, incident_id: str, message: str, severity: Severity, occasion: Occasion) -> None:
    """Sends a person a message about the incident. `occasion` says what for, in a word that receivers know."""
    incident = turn.incident(incident_id)
    command_id = stable_id("command", incident.id, len(incident.actions) + 1, "notify")
    arguments: dict[str, object] = {"message": message, "severity": severity, "occasion": occasion}
    command = Command(
        id=command_id,
        incident=incident.id,
        pipeline=incident.pipeline,
        action="notify",
        arguments=arguments,
        reason=message,
        issued_by=turn.issuer(incident),
        at=turn.now,
        deadline=turn.now + TELL_WITHIN,
    )
    action = Action(
        command=command_id,
        name="notify",
        arguments=arguments,
        role="tell",
        rung=incident.rung,
        at=turn.now,
        row=turn.row(incident.pipeline),
        deadline=command.deadline,
        reason=message,
        issued_by=command.issued_by,
    )
    turn.put(with_action(incident, action))
    turn.say(command)
    turn.record("command_issued", incident.pipeline, f"tell a person: {message}", incident_id, **_of(command))


def escalate(turn: Turn, incident_id: str, why: str) -> None:
    """Hands the incident to a person, who is called unless that happened before in this incident.

    Trouble that nothing helped against is critical; that a person's own request came to nothing is not.
    """
    turn.update(incident_id, tried_before=len(turn.incident(incident_id).actions))
    incident = turn.move(incident_id, "escalated", why, turn.now + turn.limits.escalated_within)
    before = " (a person has been told already)" if incident.told else ""
    turn.record("escalated", incident.pipeline, f"escalated: {why}{before}", incident_id, **_story(incident))
    if not incident.told:
        turn.update(incident_id, told=True)
        done = f" Tried: {done_in(incident)}." if done_in(incident) else ""
        needed = f"{subject(incident.pipeline)} needs a person: {about_of(incident)}."
        message = f"{needed} {sentence(why)}{done} {advice(incident)}"
        if incident.request is None:
            tell(turn, incident_id, message, "critical", "escalated")
        else:
            tell(turn, incident_id, message, "warning", "request")


def resolve(turn: Turn, incident_id: str, why: str) -> None:
    """Closes the incident as over."""
    row = turn.row(turn.incident(incident_id).pipeline)
    turn.update(incident_id, closed_at=turn.now, closed_row=row, paused_by="")
    incident = turn.move(incident_id, "resolved", why, None)
    ending = ending_of(incident)
    summary = f"{WORDS[ending]}: {why}"
    turn.record("incident_resolved", incident.pipeline, summary, incident_id, ending=ending, **_story(incident))
    turn.forget(incident.pipeline)


def expire(turn: Turn, incident_id: str, why: str) -> None:
    """Closes an incident that nobody decided on in time, and tells a person so."""
    row = turn.row(turn.incident(incident_id).pipeline)
    told = turn.incident(incident_id).told
    turn.update(incident_id, closed_at=turn.now, closed_row=row, told=True, paused_by="")
    incident = turn.move(incident_id, "expired", why, None)
    turn.record("incident_expired", incident.pipeline, f"expired: {why}", incident_id, **_story(incident))
    if not told:
        tell(
            turn,
            incident_id,
            f"{subject(incident.pipeline)}: {about_of(incident)}. Nothing was done. {sentence(why)}",
            "warning",
            "expired" if incident.request is None else "request",
        )
    turn.forget(incident.pipeline)


def tell_of_end(turn: Turn, incident: Incident) -> None:
    """Tells a person how an incident ended once it stayed quiet: flapping is told of once, not often."""
    done = done_in(incident)
    told = incident.told or incident.good_news or incident.request is not None or incident.upkeep
    if incident.state != "resolved" or told or not done or incident.closed_at is None:
        return
    later = _come_back_since(turn, incident)
    if any(other.open for other in later) or _fires_again(incident):
        return
    if any(done_in(other) for other in later):
        turn.update(incident.id, good_news=True)
        return
    policy = turn.policy(incident)
    row = turn.row(incident.pipeline)
    quiet_rows = row - incident.closed_row >= flap_rows(policy)
    if quiet_rows or turn.now - incident.closed_at >= turn.limits.tell_after:
        turn.update(incident.id, good_news=True)
        ending = ending_of(incident)
        about, why = about_of(incident), sentence(incident.why)
        message = f"{subject(incident.pipeline)}: {WORDS[ending]} ({about}). Done: {done}. {why}"
        tell(turn, incident.id, message, "warning" if ending == "unrestored" else "info", "ended")


def _come_back_since(turn: Turn, incident: Incident) -> list[Incident]:
    """The incidents opened since its end for the same alert, or the same trouble: what is told of one of these is news,
    and its own end is none by then.
    """
    ended, name, what = incident.closed_at or incident.since, incident.diagnosis.name, incident.diagnosis.what
    found = []
    for other in turn.of(incident.pipeline):
        same = (other.diagnosis.name, other.diagnosis.what) == (name, what) or other.lead in incident.alerts
        if other.opened_at >= ended and other.id != incident.id and other.lead and same:
            found.append(other)
    return found


def _fires_again(incident: Incident) -> bool:
    """Whether one of its alerts, more than watched, was told of anew since its end."""
    ended = incident.closed_at or incident.since
    return any(alert.severity != "info" and alert.at > ended for alert in incident.firing)


def _story(incident: Incident) -> dict[str, object]:
    return {"postmortem": postmortem(incident)}


def _of(command: Command) -> dict[str, object]:
    return {"command": command.id, "action": command.action, "arguments": command.arguments, "role": "tell"}
