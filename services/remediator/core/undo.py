"""Taking an action back: what did not help is undone, what has done its work is released."""

from __future__ import annotations

from services.remediator.core.incidents import Action
from services.remediator.core.knowledge import Knowledge, better
from services.remediator.core.orders import Impossible, Order
from services.remediator.core.verification import RESOLVED

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
        return Impossible(f"{action.name} has nothing to take back")
    return _back_to_what_it_left(action, known)


def _back_to_what_it_left(action: Action, known: Knowledge) -> Order | Impossible:  # noqa: PLR0911 - one per reason
    if action.left is None or action.left == action.version:
        return Impossible("there is no version to go back to")
    if action.version is not None and known.stages.get(action.version) in ("shadow", "canary"):
        return Order("shift_traffic", {"version": action.version, "weight": 0.0}, version=action.left)
    if action.version is None or known.live != action.version:
        return Impossible(f"version {action.version or 'of this action'} does not answer")
    if _helped(action):
        return Impossible(f"version {action.version} is better than {action.left} was, though not by enough")
    if action.name == "retrain":
        return Order("rollback", {"to_version": action.left}, version=action.left)
    if action.measured is None:
        return Impossible(f"it is not known that version {action.left} was better")
    return Order("promote", {"version": action.left, "force": True}, version=action.left)


def _helped(action: Action) -> bool:
    if action.measured is None or action.level is None or action.expects is None or action.expects.metric == RESOLVED:
        return False
    return better(action.expects.metric, action.measured, action.level)
