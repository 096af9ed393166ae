"""The loop itself: every open incident takes the steps that its state and the time call for."""

from __future__ import annotations

from services.remediator.core import requests, upkeep
from services.remediator.core.acting import overdue
from services.remediator.core.deciding import await_approval, decide, resume
from services.remediator.core.escalation import tell_of_end
from services.remediator.core.judging import judge, watch_escalated
from services.remediator.core.standing import take_up_what_stands
from services.remediator.core.turn import Turn

MOST_STEPS = 50
"""Steps of one incident in one turn; a ladder is shorter."""


def heal(turn: Turn, pipeline: str) -> None:
    """Moves the pipeline's incidents on as far as they go now, the nearest to the root first."""
    _advance_all(turn, pipeline)
    if take_up_what_stands(turn, pipeline):
        _advance_all(turn, pipeline)
    for incident in turn.of(pipeline):
        tell_of_end(turn, incident)


def _advance_all(turn: Turn, pipeline: str) -> None:
    waiting = [incident for incident in turn.of(pipeline) if incident.open]
    for incident in sorted(waiting, key=lambda i: (i.diagnosis.rank, i.opened_at)):  # of one moment: as they came
        advance(turn, incident.id)


def advance(turn: Turn, incident_id: str) -> None:
    """Moves one incident on until it waits or is closed."""
    for _ in range(MOST_STEPS):
        before = turn.state.incidents.get(incident_id)
        if before is None or not before.open:
            return
        _step(turn, incident_id)
        if turn.state.incidents.get(incident_id) is before:
            return


def _step(turn: Turn, incident_id: str) -> None:
    incident = turn.incident(incident_id)
    if incident.paused_by and not resume(turn, incident_id) and incident.state != "acting":
        return
    match incident.state:
        case "triaged" if incident.request is not None:
            requests.carry_out(turn, incident_id)
        case "triaged" if incident.upkeep:
            upkeep.carry_out(turn, incident_id)
        case "triaged":
            decide(turn, incident_id)
        case "awaiting_approval":
            await_approval(turn, incident_id)
        case "acting" | "undoing":
            overdue(turn, incident_id)
        case "verifying":
            judge(turn, incident_id)
        case "escalated":
            watch_escalated(turn, incident_id)
        case _:
            pass
