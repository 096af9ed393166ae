"""The words in which people are told: actions, metrics, numbers and incidents, the same in every text."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from services.remediator.core.incidents import Action, Incident
from services.remediator.core.limits import SYSTEM
from shared import figures

_STATES = {"acting": "is under way", "verifying": "is being measured", "undoing": "is being taken back"}


def figure(value: float | None, beside: float | None = None) -> str:
    """A number to four digits, to more where it would else read like the one `beside` it.

    >>> figure(0.79376), figure(None), figure(0.75003, beside=0.75)
    ('0.7938', 'unknown', '0.75003')
    """
    return "unknown" if value is None else figures.figure(value, beside)


def metric_in_words(metric: str) -> str:
    """
    >>> metric_in_words("performance.mae"), metric_in_words("estimate.accuracy")
    ('mae', 'estimated accuracy')
    """
    family, _, name = metric.rpartition(".")
    return f"estimated {name}" if family == "estimate" else name


def wanted(metric_direction: str, bound: float, seen: float | None = None) -> str:
    """What was asked for, beside what was `seen`.

    >>> wanted("up", 0.75), wanted("down", 0.75004, seen=0.75)
    ('wanted at least 0.75', 'wanted at most 0.75004')
    """
    return f"wanted {'at least' if metric_direction == 'up' else 'at most'} {figure(bound, seen)}"


def sentence(text: str) -> str:
    """With a capital letter, and an end.

    >>> sentence("it has waited 24 h")
    'It has waited 24 h.'
    """
    return text[:1].upper() + text[1:] + ("" if text.endswith((".", "!", "?")) else ".") if text else ""


def called(action: Action) -> str:
    """The action as a thing, with its object: "retraining (version 3)", "quarantine of price from feed"."""
    return f"{_NOUNS.get(action.name, action.name)}{_object(action)}"


def done(incident: Incident, action: Action) -> str:
    """What has come of an action whose effect is not measured. A hold that was asked for has begun: it is not over."""
    begun = action.name == "hold" and incident.request is not None
    return "learning is on hold until release-hold" if begun else f"the {called(action)} is done"


def under_way(incident: Incident, action: Action) -> str:
    """What is awaited of another incident; of one that takes something back, what that is."""
    acts = [done for done in incident.actions if done.role == "act" and done.name != "notify"]
    action = acts[-1] if acts and action.role == "undo" else action
    return f"the {called(action)} of {incident.id} {_STATES.get(incident.state, 'is under way')}"


def subject(pipeline: str) -> str:
    """What an incident is about: a pipeline, or Homeostat's own services."""
    return "Homeostat itself" if pipeline == SYSTEM else pipeline


def about_of(incident: Incident) -> str:
    """The trouble itself, or what was asked for."""
    if incident.request is not None:
        return f"{incident.request.issued_by} asked for {incident.request.action}"
    now = (incident.leading.summary if incident.leading is not None else incident.diagnosis.why).removesuffix(".")
    first = incident.began_with.removesuffix(".")
    return f"{now}; it began with: {first}" if first and first != now else now


def _object(action: Action) -> str:
    arguments, version = action.arguments, action.version
    if action.name in ("retrain", "recalibrate"):
        return f" (version {version})" if version not in (None, action.left) else ""
    return {
        "quarantine_source": f" of {_listed(arguments)} from {arguments.get('source')}",
        "release_source": f" of {_listed(arguments)} from {arguments.get('source')}",
        "rollback": f" to version {version or arguments.get('to_version')}",
        "promote": f" of version {version}" if version else " of the model brought",
        "shift_traffic": f" to version {arguments.get('version')}",
        "restart_service": f" of {arguments.get('service')}",
        "scale_service": f" of {arguments.get('service')} to {arguments.get('replicas')}",
    }.get(action.name, "")


def _listed(arguments: Mapping[str, object]) -> str:
    fields = arguments.get("fields")
    return ", ".join(map(str, fields)) if isinstance(fields, Sequence) and fields else "all fields"


_NOUNS = {
    "retrain": "retraining",
    "rollback": "rollback",
    "promote": "promotion",
    "shift_traffic": "shift of traffic",
    "hold": "hold on learning",
    "release_hold": "end of the hold on learning",
    "quarantine_source": "quarantine",
    "release_source": "release",
    "recalibrate": "recalibration",
    "restart_service": "restart",
    "scale_service": "scaling",
    "notify": "message to a person",
}
