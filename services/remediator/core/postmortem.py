"""The story of an incident in Markdown, made from the incident alone: nobody has to write it."""

from __future__ import annotations

from services.remediator.core.ending import Ending, ending_of
from services.remediator.core.incidents import Action, Diagnosis, Incident, Role
from services.remediator.core.verification import RESOLVED
from services.remediator.core.wording import called, figure, metric_in_words, sentence, subject
from shared.durations import in_words
from shared.messages import Alert, LogPosition

TELLING = {
    "escalated": "A person has to look at it.",
    "expired": "Nobody decided in time; nothing more was done.",
}

_ROLES: dict[Role, str] = {"undo": "to undo", "release": "to give back", "aside": "beside"}

ENDED: dict[Ending, str] = {
    "healed": "It ended well.",
    "passed": "It passed by itself: no action was seen to end it.",
    "unrestored": "The alert has ended, but performance is not seen to be back.",
    "done": "It is done.",
}


def postmortem(incident: Incident) -> str:
    """What happened, the timeline with log positions, evidence, actions with expected and measured
    effect, the cost, and what to do. Markdown, ends with a newline.
    """
    parts = [
        f"# {subject(incident.pipeline)}: {incident.diagnosis.why or incident.diagnosis.name}",
        f"Incident `{incident.id}`, {incident.state}. {_told_end(incident)} {sentence(incident.why)}",
        "## What happened\n\n" + _what(incident),
        "## Timeline (UTC)\n\n"
        + "\n".join(
            f"- {moment.at:%Y-%m-%d %H:%M:%S} `#{moment.sequence}` {moment.summary}{_refs(moment.refs)}"
            for moment in incident.timeline
        ),
    ]
    if incident.alerts:
        parts.append("## Evidence\n\n" + "\n".join(_evidence(alert) for alert in incident.alerts.values()))
    acted = [action for action in incident.actions if action.role != "tell"]
    parts.append("## Actions\n\n" + (_table(acted) if acted else "None."))
    parts.append("## Cost\n\n" + _cost(incident, acted))
    parts.append("## What to do\n\n" + advice(incident))
    return "\n\n".join(parts) + "\n"


def _told_end(incident: Incident) -> str:
    return ENDED[ending_of(incident)] if incident.state == "resolved" else TELLING.get(incident.state, "It is open.")


def _what(incident: Incident) -> str:
    if incident.request is not None:
        asked = incident.request
        return f"{asked.issued_by} asked for {asked.action}: {asked.reason or 'no reason given'}."
    lead = incident.leading
    told = sentence(lead.summary) if lead else ""
    if incident.began_with:
        told = f"It began with: {sentence(incident.began_with)} {told}"
    times = "once" if incident.reopened == 1 else f"{incident.reopened} times"
    again = f" It came back {times}." if incident.reopened else ""
    diagnosis = incident.diagnosis
    return f"{told} Diagnosis: {diagnosis.name.replace('_', ' ')}{_suspect(diagnosis)}: {diagnosis.why}.{again}".strip()


def _suspect(diagnosis: Diagnosis) -> str:
    named = f"{diagnosis.cause} `{diagnosis.what}`" if diagnosis.what else diagnosis.cause
    return f" ({named.strip()})" if named else ""


def _refs(refs: tuple[LogPosition, ...]) -> str:
    return "".join(f" ({ref.topic}/{ref.partition}@{ref.offset})" for ref in refs)


def _evidence(alert: Alert) -> str:
    evidence = alert.evidence
    value, limit = evidence.value, evidence.threshold
    before = f", before {figure(evidence.baseline)}" if evidence.baseline is not None else ""
    suspects = ", ".join(f"{cause.kind} `{cause.what}` ({cause.score:.2g})" for cause in alert.causes[:3])
    return (
        f"- {alert.kind} ({alert.severity}, {alert.state}): {evidence.statistic} {figure(value, limit)} against "
        f"{figure(limit, value)}{before}, on {evidence.samples:,} rows"
        + (f"; suspects: {suspects}" if suspects else "")
    )


def _table(actions: list[Action]) -> str:
    lines = ["| action | by | expected | measured | outcome |", "|---|---|---|---|---|"]
    for action in actions:
        expected = _expected(action)
        seen = _seen(action)
        role = "" if action.role == "act" else f" ({_ROLES[action.role]})"
        became = action.outcome.replace("_", " ")
        lines.append(f"| {called(action)}{role} | {action.issued_by} | {expected} | {seen} | {became} |")
    return "\n".join(lines)


def _seen(action: Action) -> str:
    if action.measured is None:
        return "—"
    bound = action.expects.bound if action.expects is not None else None
    return f"{figure(action.measured, bound)} over {action.measured_rows:,} rows"


def _expected(action: Action) -> str:
    expects = action.expects
    if expects is None:
        return "—"
    if expects.metric == RESOLVED:
        return "the alert resolves"
    bound = figure(expects.bound, action.measured)
    return f"{metric_in_words(expects.metric)} {'≥' if expects.direction == 'up' else '≤'} {bound}"


def _cost(incident: Incident, actions: list[Action]) -> str:
    seconds = sum(action.cost_seconds or 0.0 for action in actions)
    rows = max(0, incident.closed_row - incident.opened_row) if incident.closed_row else 0
    length = in_words(incident.since - incident.opened_at) + (f" and {rows:,} rows" if rows else "")
    many = f"Its {len(actions)} actions" if len(actions) != 1 else "Its one action"
    return f"It lasted {length}. {many} took {seconds:.0f} s of work." if actions else f"It lasted {length}."


def advice(incident: Incident) -> str:
    """What a person can do about it now."""
    if incident.state == "resolved" and ending_of(incident) == "unrestored":
        return (
            "See whether performance has come back since; if not: `homeostat models retrain " + incident.pipeline + "`."
        )
    if incident.state == "resolved":
        return "Nothing, unless it comes back." if not incident.reopened else "It flaps: look for its source."
    name, what, pipeline = incident.diagnosis.name, incident.diagnosis.what, incident.pipeline
    tried = {action.name for action in incident.actions if action.role == "act" and action.outcome != "failed"}
    return {
        "bad_field": _of_field(incident, what),
        "refused_rows": f"Mend field `{what}` where it is made; `dead-letters` keeps what was refused.",
        "unfair": f"Look at the rows of `{what}`: more of them to learn from, or features that tell them apart.",
        "bad_labels": f"Check the labels of `{what}`"
        + ("; learning stays on hold until they are right." if "hold" in tried else "."),
        "bad_version": f"Look at how version `{what}` was made before it is promoted again.",
        "concept_drift": "Retraining did not win it back: new features, or labels to be checked, may be needed."
        if "retrain" in tried
        else f"See what changed; to train at once: `homeostat models retrain {pipeline}`.",
        "service_down": f"Read the log of `{what}`"
        + ("; restarting it did not keep it up." if "restart_service" in tried else "."),
        "load": f"Give `{what}` more room, or slow its senders down.",
        "silent_source": f"Ask whoever runs `{what}` why it stopped.",
    }.get(name, f"See `homeostat incidents show {incident.id}` and decide.")


def _of_field(incident: Incident, what: str) -> str:
    mend = f"Mend field `{what}` where it is made"
    if not incident.withheld_sources:
        return mend + "."
    ends = "the quarantine ends by itself when it is right again"
    return f"{mend}; {ends}. To end it now: `homeostat quarantine list {incident.pipeline}` and `release`."
