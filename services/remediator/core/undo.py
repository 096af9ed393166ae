"""Taking an action back: what did not help is undone, what has done its work is released."""

from __future__ import annotations

from services.remediator.core.incidents import Action
from services.remediator.core.knowledge import Knowledge, better, replaced_by
from services.remediator.core.orders import Impossible, Order
from services.remediator.core.verification import RESOLVED, left_before

RELEASES = {"quarantine_source": "release_source", "hold": "release_hold", "scale_service": "scale_service"}
"""Actions that last until they are taken back, and by what."""


def release_of(action: Action) -> Order | None:
    """The order that ends what `action` put in force, or None where it put nothing in force."""
    if action.name == "quarantine_source":
        return Order("release_source", {key: action.arguments[key] for key in ("source", "fields")})
    if action.name == "hold":
        return Order("release_hold", {})
    if action.name == "scale_service":
        before = max(1, int(str(action.arguments.get("replicas", 1))) - 1)
        return Order("scale_service", {"service": action.arguments.get("service"), "replicas": before})
    return None


def undo_of(action: Action, known: Knowledge) -> Order | Impossible:
    """The order that takes `action` back, or why it stays.

    A new version goes when it measured no better than what it replaced; a rollback goes when the
    version it left was better. What helped, if not enough, stays.
    """
    release = release_of(action)
    if release is not None:
        return release
    if action.name not in ("retrain", "rollback", "promote"):
        return Impossible("there is nothing to take back")
    return _back_to_what_it_left(action, known)


def withdrawal_of(action: Action, known: Knowledge) -> Order | Impossible:
    """The order by which the version that `action` made stops answering, or why there is none."""
    left = left_by(action, known)
    if left is None or left == action.version:
        return Impossible("there is no version to go back to")
    if action.version is not None and known.stages.get(action.version) in ("shadow", "canary"):
        return Order("shift_traffic", {"version": action.version, "weight": 0.0}, version=known.live)
    if action.version is None or known.live != action.version:
        return Impossible(f"version {action.version or 'of this action'} does not answer")
    return Order("rollback", {"to_version": left}, version=left)


def _back_to_what_it_left(action: Action, known: Knowledge) -> Order | Impossible:
    order = withdrawal_of(action, known)
    if isinstance(order, Impossible) or order.action != "rollback":
        return order
    left = order.version
    if _helped(action, known):
        return Impossible(f"version {action.version} did better than version {left}, if not well enough")
    if action.name == "retrain":
        return order
    if action.measured is None:
        return Impossible(f"it is not known that version {left} was better")
    return Order("promote", {"version": left, "force": True}, version=left)


def left_by(action: Action, known: Knowledge) -> str | None:
    """The version to go back to: the one that the action's version took over from, whatever answered when it was
    ordered. What was found bad meanwhile is not gone back to, unless it was a rollback that found it so.
    """
    left = action.left if action.version is None else replaced_by(known, action.version) or action.left
    return known.earlier if action.name != "rollback" and left in known.condemned else left


def _helped(action: Action, known: Knowledge) -> bool:
    """Whether it measured better than what it left: at the alert, or in the newest windows before the action, which may
    have come long after.
    """
    if action.measured is None or action.level is None or action.expects is None or action.expects.metric == RESOLVED:
        return False
    metric, measured = action.expects.metric, action.measured
    before = left_before(action, known, metric)
    return better(metric, measured, action.level) or (before is not None and better(metric, measured, before))
