"""A trouble that lasts has an incident: an alert that still fires when its incident is over is taken up again."""

from __future__ import annotations

from services.remediator.core.ending import ending_of
from services.remediator.core.incidents import Incident
from services.remediator.core.intake import take_up
from services.remediator.core.limits import SYSTEM, flap_rows
from services.remediator.core.policies import only_watched
from services.remediator.core.triage import diagnosis_of
from services.remediator.core.turn import Turn
from shared.messages import Alert


def take_up_what_stands(turn: Turn, pipeline: str) -> bool:
    """Takes up each alert that fires, is not only watched, and has no open incident; True where there was one.

    One whose incident ended well, or that is a late consequence of it, has as long to end by itself as trouble that
    comes back counts as the same. One whose incident expired is left alone: a person knows of it and did nothing.
    """
    incidents = turn.of(pipeline)
    held = {fingerprint for incident in incidents if incident.open for fingerprint in incident.alerts}
    found = False
    for incident in reversed(incidents):
        for alert in () if incident.open else incident.firing:
            if alert.fingerprint not in held and not _patient(turn, incident):
                found = _take_up(turn, incident, alert) or found
        held |= incident.alerts.keys()
    return found


def _take_up(turn: Turn, incident: Incident, alert: Alert) -> bool:
    diagnosis = diagnosis_of(alert, turn.known(alert.pipeline), turn.specification(alert.pipeline))
    if only_watched(alert, diagnosis, turn.policies(alert.pipeline)):
        return False
    take_up(turn, incident.id, alert, diagnosis)
    return True


def _patient(turn: Turn, incident: Incident) -> bool:
    """Whether the alert may still end by itself, or nobody is to be bothered with it again."""
    if incident.state == "expired":
        return True
    lingers = incident.lingers_from >= incident.closed_row
    if not lingers and ending_of(incident) not in ("healed", "passed"):
        return False
    if incident.pipeline == SYSTEM:
        return turn.now - (incident.closed_at or incident.since) < turn.limits.stretch_time
    since = max(incident.closed_row, incident.lingers_from)
    return turn.row(incident.pipeline) - since < flap_rows(turn.policy(incident))
