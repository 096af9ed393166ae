"""How a trouble that is over ended, in the words that everyone uses for it: the one place that decides them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal

from services.remediator.core.incidents import Action, Incident
from shared.messages import AuditEntry

Ending = Literal["healed", "passed", "unrestored", "done"]
"""`healed`: something was done, and the last that was done was seen to help. `passed`: the alert ended, and no action
was seen to end it. `unrestored`: the alert ended, and performance was not seen to come back. `done`: no trouble."""

WORDS: Mapping[Ending, str] = {
    "healed": "healed itself",
    "passed": "passed by itself",
    "unrestored": "the alert has ended, but performance is not seen to be back",
    "done": "resolved",
}

_HELPED = ("verified", "succeeded")
_OUTCOMES = {"verified": "", "succeeded": "", "not_verified": " (no help)", "unknown": " (not known to help)"}


def ending_of(incident: Incident) -> Ending:
    """How the incident, now over, ended. Of one reopened, or handed to a person, counts what was done since."""
    if incident.request is not None or incident.upkeep:
        return "done"
    tried = _tried(incident, since=incident.tried_before)
    if incident.unrestored or (tried and _given_back_in_vain(tried[-1])):
        return "unrestored"
    helped = any(action.outcome == "verified" for action in tried) and tried[-1].outcome in _HELPED
    return "healed" if helped else "passed"


def ending_in(entry: AuditEntry) -> Ending | None:
    """The ending that an entry of the ledger tells of; None where it tells of none."""
    return next((ending for ending in WORDS if ending == entry.body.get("ending")), None)


def done_in(incident: Incident) -> str:
    """What was done about it in all, each action with its outcome where that was not good; empty where nothing was."""
    tried = [action for action in _tried(incident) if action.role == "act"]
    return ", ".join(action.name + _OUTCOMES.get(action.outcome, f" ({action.outcome})") for action in tried)


def _tried(incident: Incident, since: int = 0) -> list[Action]:
    """Telling a person mends nothing."""
    ours = [action for action in incident.actions[since:] if action.role in ("act", "release")]
    return [action for action in ours if action.name != "notify"]


def _given_back_in_vain(action: Action) -> bool:
    return action.role == "release" and action.outcome in ("not_verified", "unknown")
