"""An alert comes in: it opens, joins, leads or reopens an incident, or ends what it began."""

from __future__ import annotations

import msgspec

from services.remediator.core.acting import aim_of_return, release_gone, take_back_spoilt, withhold_everywhere
from services.remediator.core.correlation import Place, place_of, same_firing
from services.remediator.core.incidents import Diagnosis, Incident, with_action, with_alert
from services.remediator.core.limits import flap_rows
from services.remediator.core.policies import only_watched, policy_for
from services.remediator.core.triage import diagnosis_of
from services.remediator.core.turn import Turn
from shared.identity import stable_id
from shared.messages import Alert


def take_alert(turn: Turn, alert: Alert) -> None:
    """Puts the alert where it belongs. The same alert again changes nothing but the evidence, and so does one
    that is only watched by now: it neither opens an incident nor leads one.
    """
    holders = [i for i in turn.of(alert.pipeline) if alert.fingerprint in i.alerts]
    if alert.state == "resolved":
        _note(turn, alert, [i for i in holders if i.alerts[alert.fingerprint].state == "firing"])
        return
    diagnosis = diagnosis_of(alert, turn.known(alert.pipeline), turn.specification(alert.pipeline))
    policies = turn.policies(alert.pipeline)
    if only_watched(alert, diagnosis, policies):
        _note(turn, alert, [incident for incident in holders if incident.open or same_firing(alert, incident)])
        return
    soon = flap_rows(policy_for(alert, diagnosis, policies))
    place = place_of(alert, diagnosis, turn.of(alert.pipeline), soon, turn.limits)
    match place.how:
        case "opens":
            _open(turn, alert, diagnosis)
        case "joins":
            _join(turn, alert, diagnosis, place)
        case "leads":
            turn.put(with_alert(turn.incident(place.incident), alert))
            lead(turn, place.incident, alert, diagnosis, place.why)
        case "reopens":
            _reopen(turn, alert, diagnosis, place)
        case "lingers":
            _linger(turn, alert, place)
        case "ignored":
            _note(turn, alert, [turn.incident(place.incident)])


def take_up(turn: Turn, incident_id: str, alert: Alert, diagnosis: Diagnosis) -> None:
    """Deals with an alert that still fires though the incident is over: what no trouble began is not reopened."""
    if turn.incident(incident_id).upkeep or turn.incident(incident_id).request is not None:
        _open(turn, alert, diagnosis)
    else:
        _reopen(turn, alert, diagnosis, Place("reopens", incident_id, "it still fires after its end"))


def _note(turn: Turn, alert: Alert, incidents: list[Incident]) -> None:
    for incident in incidents:
        turn.put(with_alert(incident, alert))


def lead(turn: Turn, incident_id: str, alert: Alert, diagnosis: Diagnosis, why: str) -> None:
    """Gives the lead to `alert`. What was done for the old cause is superseded, and taken back where
    it made a version; nobody waits for that.
    """
    incident = turn.incident(incident_id)
    action = incident.last
    pending = action is not None and action.role == "act" and incident.state in ("acting", "verifying")
    if action is not None and pending:
        turn.put(with_action(incident, msgspec.structs.replace(action, outcome="superseded")))
        if action.name == "retrain" and action.outcome == "succeeded":
            take_back_spoilt(turn, incident_id, action, alert)
    turn.update(incident_id, lead=alert.fingerprint, diagnosis=diagnosis, rung=0, policy="", approved_by="")
    turn.move(incident_id, "triaged", why, turn.now + turn.limits.wait_within)
    turn.record(
        "triaged", alert.pipeline, f"{diagnosis.name}: {why}", incident_id, alert=alert.id,
        fingerprint=alert.fingerprint,
    )  # fmt: skip


def _open(turn: Turn, alert: Alert, diagnosis: Diagnosis) -> None:
    incident_id = stable_id("incident", alert.pipeline, alert.id)
    if incident_id in turn.state.incidents:
        # The same alert names another suspect by now, which is trouble of its own.
        incident_id = stable_id("incident", alert.pipeline, alert.id, diagnosis.name, diagnosis.what)
    incident = Incident(
        id=incident_id,
        pipeline=alert.pipeline,
        opened_at=turn.now,
        opened_row=turn.row(alert.pipeline),
        since=turn.now,
        deadline=turn.now + turn.limits.wait_within,
        alerts={alert.fingerprint: alert},
        lead=alert.fingerprint,
        diagnosis=diagnosis,
    )
    if incident.id in turn.state.incidents:
        return
    turn.put(incident)
    turn.record(
        "incident_opened", alert.pipeline, alert.summary, incident.id, alert=alert.id, alert_kind=alert.kind,
        fingerprint=alert.fingerprint, evidence=_evidence(alert), causes=msgspec.to_builtins(alert.causes),
    )  # fmt: skip
    turn.move(incident.id, "triaged", diagnosis.why, turn.now + turn.limits.wait_within)
    turn.record("triaged", alert.pipeline, f"{diagnosis.name}: {diagnosis.why}", incident.id, alert=alert.id)


def _join(turn: Turn, alert: Alert, diagnosis: Diagnosis, place: Place) -> None:
    incident = turn.incident(place.incident)
    before = incident.alerts.get(alert.fingerprint)
    incident = with_alert(incident, alert)
    turn.put(incident)
    if alert.fingerprint != incident.lead:
        if before is None:
            turn.record(
                "alert_joined", alert.pipeline, f"{alert.kind} belongs here: {place.why}", incident.id, alert=alert.id,
                alert_kind=alert.kind, fingerprint=alert.fingerprint, evidence=_evidence(alert),
            )  # fmt: skip
        return
    withhold_everywhere(turn, incident.id, diagnosis)
    release_gone(turn, incident.id, diagnosis)
    incident = turn.incident(incident.id)
    if incident.diagnosis.name == "refused_rows" and diagnosis.name == "bad_field":
        incident = turn.update(incident.id, diagnosis=diagnosis)
    if before is not None and before.state == "resolved":
        turn.update(incident.id, reopened=incident.reopened + 1)
    elif incident.state in ("triaged", "awaiting_approval") and not incident.actions:
        if diagnosis != incident.diagnosis:
            lead(turn, incident.id, alert, diagnosis, f"more evidence: {diagnosis.why}")
    elif diagnosis.rank < incident.diagnosis.rank and incident.state in ("triaged", "acting", "verifying"):
        lead(turn, incident.id, alert, diagnosis, f"more evidence: {diagnosis.why}")


def _reopen(turn: Turn, alert: Alert, diagnosis: Diagnosis, place: Place) -> None:
    incident = with_alert(turn.incident(place.incident), alert)
    turn.put(
        msgspec.structs.replace(
            incident,
            lead=alert.fingerprint,
            diagnosis=diagnosis,
            rung=0,
            policy="",
            approved_by="",
            reopened=incident.reopened + 1,
            tried_before=len(incident.actions),
            closed_at=None,
            closed_row=0,
            unrestored=False,
        )
    )
    turn.move(incident.id, "triaged", place.why, turn.now + turn.limits.wait_within)
    said = f"reopened ({incident.reopened + 1} of {turn.limits.max_reopens} times): {place.why}"
    turn.record(
        "triaged", alert.pipeline, said, incident.id, alert=alert.id,
        alert_kind=alert.kind, fingerprint=alert.fingerprint, evidence=_evidence(alert),
    )  # fmt: skip


def _linger(turn: Turn, alert: Alert, place: Place) -> None:
    incident = with_alert(turn.incident(place.incident), alert)
    turn.put(incident)
    turn.update(incident.id, lingers_from=turn.row(alert.pipeline))
    turn.record(
        "alert_joined", alert.pipeline, f"{alert.kind} belongs here: {place.why}", incident.id, alert=alert.id,
        fingerprint=alert.fingerprint,
    )  # fmt: skip
    last = incident.last
    if last is None or last.role != "release" or last.measured is not None:
        return
    aim = aim_of_return(turn, incident, turn.rung(incident, last.rung))
    if aim.expects is None:
        return
    again = msgspec.structs.replace(
        last, expects=aim.expects, baseline=aim.baseline, level=aim.level, from_row=turn.row(incident.pipeline)
    )
    turn.put(with_action(incident, again))
    turn.update(incident.id, closed_at=None, closed_row=0, good_news=False)
    turn.move(incident.id, "verifying", "labels that came late tell of it: does performance come back?", aim.expects.by)


def _evidence(alert: Alert) -> dict[str, object]:
    evidence: dict[str, object] = msgspec.to_builtins(alert.evidence)
    return evidence
