"""Was it any good? Each pending effect is measured, or its deadline passes and that is said."""

from __future__ import annotations

from collections.abc import Iterable

import msgspec

from services.remediator.core.acting import Aim, aim_of_return, begin_again, issue, release_others, take_back
from services.remediator.core.escalation import escalate, expire, resolve
from services.remediator.core.incidents import Action, Incident, with_action
from services.remediator.core.knowledge import better
from services.remediator.core.policies import only_watched
from services.remediator.core.triage import diagnosis_of
from services.remediator.core.turn import Turn
from services.remediator.core.undo import RELEASES, release_of
from services.remediator.core.verification import (
    CONTAINING,
    RESOLVED,
    Judgement,
    Measure,
    back_before,
    judgement,
    mean_of,
)
from services.remediator.core.wording import called, figure, metric_in_words, wanted

NEWEST_WINDOWS = 2
TENTHS = 10


def lead_resolved(incident: Incident) -> bool:
    """Whether the alert that leads is over."""
    lead = incident.leading
    return lead is None or lead.state == "resolved"


def judge(turn: Turn, incident_id: str) -> None:
    """Takes the step that the measured effect of the newest action calls for, if it calls for one."""
    incident = turn.incident(incident_id)
    action, deadline = incident.last, incident.deadline
    if action is None or deadline is None:
        return
    if action.role == "release" and not lead_resolved(incident):
        begin_again(turn, incident_id)
        return
    known = turn.known(incident.pipeline)
    judged = judgement(action, known, lead_resolved(incident), turn.now, deadline)
    if judged.answer == "waiting":
        judged = _without_more_rows(turn, incident, action, judged)
    if judged.answer == "waiting":
        _wait_on(turn, incident, action, judged)
        return
    if action.late and judged.answer != "missed":
        _was_over(turn, incident, action, judged)
        return
    before = back_before(action, known, incident.start_row) if judged.answer == "met" and action.role == "act" else None
    if before is not None and incident.request is None and not incident.upkeep:
        _was_back(turn, incident, action, judged, before)
        return
    action = _noted(turn, incident, action, judged)
    if judged.answer == "met":
        _met(turn, incident_id, action, judged.why)
    elif action.role == "release":
        _not_back(turn, incident_id, judged)
    elif incident.request is not None:
        resolve(
            turn,
            incident_id,
            f"the {called(action)} was asked for and done, but {_found(incident, judged)}: {judged.why}",
        )
    elif judged.answer == "unknown" and not incident.upkeep:
        escalate(turn, incident_id, f"whether the {called(action)} helped cannot be told: {judged.why}")
    elif action.name in ("quarantine_source", "hold"):
        escalate(turn, incident_id, f"the {called(action)} stays in force: {judged.why}")
    else:
        take_back(turn, incident_id, action, judged.why)


def wind_down(turn: Turn, incident_id: str, why: str) -> None:
    """Ends the incident, but first gives back what it put in force."""
    incident = turn.incident(incident_id)
    kept = _in_force(incident)
    own = frozenset() if kept is None else frozenset({str(kept.arguments.get("source"))})
    release_others(turn, incident_id, "the field is right again", but=own)
    if kept is None:
        lost = _still_lost(turn, turn.incident(incident_id))
        turn.update(incident_id, unrestored=bool(lost))
        resolve(turn, incident_id, f"{why}; {lost}" if lost else why)
        return
    order = release_of(kept)
    rung = turn.rung(incident, kept.rung)
    hold = turn.known(incident.pipeline).hold
    if kept.name == "hold" and hold is not None and hold.incident != incident_id:
        resolve(turn, incident_id, f"{why}; learning stays on hold, as {hold.by} asked")
        return
    if order is None:
        resolve(turn, incident_id, why)
        return
    aim = aim_of_return(turn, incident, rung) if kept.name == "quarantine_source" else Aim()
    within = rung.deadline if rung is not None else kept.deadline - kept.at
    issue(turn, incident_id, order, "release", why, aim, turn.now + within)


def _still_lost(turn: Turn, incident: Incident) -> str:
    """What is measured now, where the last remedy that was measured did not bring back enough; else empty."""
    tried = [a for a in incident.actions[incident.tried_before :] if a.role == "act" and a.measured is not None]
    action = tried[-1] if tried else None
    if action is None or action.outcome != "not_verified" or action.expects is None or action.measured is None:
        return ""
    expects = action.expects
    now = mean_of(turn.known(incident.pipeline), expects.metric, turn.row(incident.pipeline) + 1, NEWEST_WINDOWS)
    if now is None or not better(expects.metric, expects.bound, now):
        return ""
    is_now = f"{metric_in_words(expects.metric)} is {figure(now, expects.bound)} in the newest rows"
    return f"{is_now}, {wanted(expects.direction, expects.bound, now)}"


def watch_escalated(turn: Turn, incident_id: str) -> None:
    """A person has it: it ends when its trouble does, or when its time is up."""
    incident = turn.incident(incident_id)
    if incident.request is None and not incident.firing:
        wind_down(turn, incident_id, "the trouble is over")
    elif incident.deadline is not None and turn.now >= incident.deadline:
        expire(turn, incident_id, f"a person has had it since {incident.since:%Y-%m-%d %H:%M} UTC and has not ended it")


def follow_up(turn: Turn, incident_id: str, why: str) -> bool:
    """Lets the nearest-to-the-root alert that still fires lead; False where none does."""
    incident = turn.incident(incident_id)
    specification = turn.specification(incident.pipeline)
    known, policies = turn.known(incident.pipeline), turn.policies(incident.pipeline)
    left = [alert for alert in incident.firing if alert.fingerprint != incident.lead]
    found = [(diagnosis_of(alert, known, specification), alert) for alert in left]
    found = [(diagnosis, alert) for diagnosis, alert in found if not only_watched(alert, diagnosis, policies)]
    if not found:
        return False
    diagnosis, alert = min(found, key=lambda pair: pair[0].rank)
    turn.update(incident_id, lead=alert.fingerprint, diagnosis=diagnosis, rung=0, policy="", approved_by="")
    turn.move(incident_id, "triaged", why, turn.now + turn.limits.wait_within)
    summary = f"{why}; now {diagnosis.name}: {diagnosis.why}"
    turn.record("triaged", incident.pipeline, summary, incident_id, alert=alert.id)
    return True


def _met(turn: Turn, incident_id: str, action: Action, why: str) -> None:
    if action.role == "act" and action.name in RELEASES:
        wind_down(turn, incident_id, "the alert has resolved")
    elif (
        action.name in CONTAINING
        and action.role == "act"
        and follow_up(turn, incident_id, f"the {called(action)} worked")
    ):
        return
    else:
        resolve(
            turn, incident_id, _told(action, why) if action.name == "notify" else f"the {called(action)} worked: {why}"
        )


def _was_back(turn: Turn, incident: Incident, action: Action, judged: Judgement, before: Measure) -> None:
    """All is well, and was before the action: it is no merit of the action."""
    value = f"{figure(before.value)} over {before.rows:,} rows"
    why = f"version {action.left} was back at {value} before the {called(action)} was ordered"
    _noted(turn, incident, action, Judgement("unknown", f"{why}; {judged.why}", judged.measure))
    resolve(turn, incident.id, why)


def _was_over(turn: Turn, incident: Incident, action: Action, judged: Judgement) -> None:
    """The alert had ended before the action was carried out: what is well by now is no merit of it."""
    why = f"the alert had ended before the {called(action)} was done; {judged.why}"
    _noted(turn, incident, action, Judgement("unknown", why, judged.measure))
    resolve(turn, incident.id, why)


def _not_back(turn: Turn, incident_id: str, judged: Judgement) -> None:
    if judged.answer == "missed" and follow_up(turn, incident_id, f"the field is right again, yet {judged.why}"):
        return
    resolve(turn, incident_id, f"the field is right again; {judged.why}")


def _wait_on(turn: Turn, incident: Incident, action: Action, judged: Judgement) -> None:
    if why := _overtaken(turn, incident, action):
        _go_on(turn, incident, action, Judgement("unknown", why, judged.measure))
    else:
        _count(turn, incident, action, judged)


def _count(turn: Turn, incident: Incident, action: Action, judged: Judgement) -> None:
    """Puts on record how far the measuring is, at each tenth of the rows it takes: who waits for it wants to know."""
    expects, rows = action.expects, judged.measure.rows
    if expects is None or expects.metric == RESOLVED:
        return
    if rows * TENTHS // expects.rows == action.measured_rows * TENTHS // expects.rows:
        return
    turn.put(with_action(incident, msgspec.structs.replace(action, measured_rows=rows)))
    turn.record(
        "measuring", incident.pipeline, f"the {called(action)} is being measured: {judged.why}", incident.id,
        command=action.command, action=action.name, expects=msgspec.to_builtins(expects),
        measured=judged.measure.value, rows=rows, model_version=action.version,
    )  # fmt: skip


def _noted(turn: Turn, incident: Incident, action: Action, judged: Judgement) -> Action:
    kinds = {"met": "verified", "missed": "not_verified", "unknown": "unknown"}
    noted = msgspec.structs.replace(
        action, outcome=kinds[judged.answer], measured=judged.measure.value, measured_rows=judged.measure.rows
    )
    turn.put(with_action(incident, noted))
    said = f"the {called(action)} {_found(incident, judged)}: {judged.why}"
    said = _told(action, judged.why) if action.name == "notify" else said
    turn.record(
        noted.outcome, incident.pipeline, said, incident.id,
        command=action.command, action=action.name, role=action.role, answer=judged.answer,
        expects=msgspec.to_builtins(action.expects), baseline=action.baseline, level=action.level,
        measured=judged.measure.value, rows=judged.measure.rows, model_version=action.version,
    )  # fmt: skip
    return noted


def _found(incident: Incident, judged: Judgement) -> str:
    """What was found of an action, in words. Where nothing was to be mended, there was something to keep."""
    if judged.answer == "met":
        return "did what was expected"
    if incident.request is not None or incident.upkeep:
        return "did not keep performance" if judged.answer == "missed" else "is not known to have kept performance"
    if judged.answer == "unknown":
        return "is not known to have helped"
    return "has not ended it" if judged.measure.value is None else "did not help enough"


def _told(action: Action, why: str) -> str:
    """A message mends nothing: what came of it is only that someone knows, once it was delivered."""
    arrived = any(end.split()[1] == "succeeded" for end in action.ends)
    return f"{'a person was told' if arrived else 'nobody is known to have been told yet'}, and {why}"


def _without_more_rows(turn: Turn, incident: Incident, action: Action, judged: Judgement) -> Judgement:
    """`judged`, or where there is no need to wait for more rows, what is known now: the version it made is out, or
    named as a cause. Of one that a person asked for and that is out, what was not measured counts against nothing.
    """
    version = action.version
    asked = incident.request is not None
    if version is None or action.role != "act" or not (action.name == "retrain" or asked):
        return judged
    if why := _named(turn.of(incident.pipeline) if asked else [incident], incident.lead, action):
        return Judgement("missed", why, judged.measure)
    stage = turn.known(incident.pipeline).stages.get(version)
    if stage != "retired" and not (asked and stage == "replaced"):
        return judged
    out = f"version {version} was {'withdrawn' if stage == 'retired' else 'replaced'}"
    if not asked:
        return Judgement("missed", out, judged.measure)
    if judged.measure.value is None:
        return Judgement("unknown", f"{out} before anything of it could be measured", judged.measure)
    expects, value = action.expects, judged.measure.value
    worse = expects is not None and better(expects.metric, expects.bound, value)
    return Judgement("missed" if worse else "unknown", f"{out}: {judged.why}", judged.measure)


def _named(incidents: Iterable[Incident], lead: str, action: Action) -> str:
    """The alert since `action`, other than the one that leads, that names the version it made as its cause."""
    for fingerprint, alert in (pair for incident in incidents for pair in incident.alerts.items()):
        cause = alert.causes[0] if alert.causes else None
        newer = fingerprint != lead and alert.state == "firing" and alert.at > action.at
        newer = newer and alert.kind != "prediction_drift"
        if newer and cause is not None and (cause.kind, cause.what) == ("version", action.version):
            return f"{alert.kind} names version {action.version} as its cause"
    return ""


def _overtaken(turn: Turn, incident: Incident, action: Action) -> str:
    """Why no more rows can come by which the training is to be judged: another version answers, and as many rows of
    that one as would have done are measured.
    """
    known, expects = turn.known(incident.pipeline), action.expects
    replaced = known.stages.get(action.version or "") == "replaced" and action.version != known.live
    if action.name != "retrain" or action.role != "act" or expects is None or not replaced:
        return ""
    since = known.reigns[-1].since_row
    measured = sum(r.rows for r in known.readings if r.family == "performance" and r.first_row >= since)
    if measured < expects.rows:
        return ""
    return f"version {known.live} has replaced version {action.version} before enough of its rows were measured"


def _go_on(turn: Turn, incident: Incident, action: Action, judged: Judgement) -> None:
    """What was done is not known to have helped, and never will be: it ends with the trouble, or begins again."""
    _noted(turn, incident, action, judged)
    if lead_resolved(incident) or incident.upkeep:
        resolve(turn, incident.id, judged.why)
    else:
        begin_again(turn, incident.id, judged.why)


def _in_force(incident: Incident) -> Action | None:
    """What it put in force and has not been taken back: the newest such action."""
    for action in reversed(incident.actions):
        worked = action.outcome in ("succeeded", "verified", "not_verified", "unknown")
        if action.role in ("release", "undo") and worked:
            return None
        if action.role == "act" and action.name in RELEASES and action.outcome not in ("failed", "expired", "sent"):
            return _withheld_still(incident, action) if action.name == "quarantine_source" else action
    return None


def _withheld_still(incident: Incident, first: Action) -> Action | None:
    """`first`, or where its source was given back already the newest quarantine that was not."""
    held = [a for a in incident.withheld_sources.values() if a.outcome not in ("failed", "expired", "sent")]
    return first if first in held or not held else held[-1]
