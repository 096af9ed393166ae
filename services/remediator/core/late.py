"""A training whose alert ended by itself before its version answered: there is nothing left to win back.

The order is not called off: an alert may end for a while only, and what was learned may be worth having. But the
version stays only if it keeps what the one before it does by now, and nothing is told as healed by it.
"""

from __future__ import annotations

import msgspec

from services.remediator.core.incidents import Action, Incident
from services.remediator.core.turn import Turn
from services.remediator.core.verification import expectation, keeping
from services.remediator.core.wording import called


def after_its_alert(turn: Turn, incident: Incident, action: Action) -> Action:
    """`action`, just carried out; if it is a remedy that comes too late for its alert, with what it is held to now."""
    expects, still = action.expects, [alert for alert in incident.firing if alert.severity != "info"]
    specification = turn.specification(incident.pipeline)
    ours = action.role == "act" and action.name == "retrain" and incident.request is None and not incident.upkeep
    if not ours or still or expects is None or specification is None:
        return action
    known = turn.known(incident.pipeline)
    metric = f"performance.{specification.main_metric}"
    kept = keeping(metric, known, specification, known.rows_seen + 1, doubt=True, version=action.left)
    late = msgspec.structs.replace(action, late=True, row=known.rows_seen)
    if kept is not None:
        bound, loss = kept
        held_to = expectation(metric, bound, expects.rows, expects.by)
        late = msgspec.structs.replace(late, expects=held_to, baseline=loss.baseline, level=loss.level)
    said = f"the alert had ended before the {called(action)} was done: it is held to what version {action.left} does"
    turn.record(
        "suppressed", incident.pipeline, said, incident.id,
        command=action.command, action=action.name, expects=msgspec.to_builtins(late.expects), measured=None, rows=0,
        model_version=action.version,
    )  # fmt: skip
    return late
