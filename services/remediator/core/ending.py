"""How a trouble that is over ended, in the words that everyone uses for it: the one place that decides them."""

from __future__ import annotations

from collections.abc import Mapping
from itertools import groupby
from typing import Literal

from services.remediator.core.incidents import Action, Incident, Outcome
from services.remediator.core.verification import RESOLVED
from services.remediator.core.wording import called
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
_BECAME: Mapping[Outcome, str] = {
    "verified": "",
    "succeeded": "",
    "not_verified": "did not help enough",
    "unknown": "is not known to have helped",
    "sent": "is not answered yet",
    "failed": "could not be done",
    "expired": "was not answered in time",
    "superseded": "was given up when another cause was found",
}


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
    undone = _taken_back(incident)
    tried = [action for action in _tried(incident) if action.role == "act"]
    told = [called(action) + _became(action, action.command in undone) for action in tried]
    runs = [(text, len(list(same))) for text, same in groupby(told)]
    return "; ".join(text if times == 1 else f"{text} ({times} times)" for text, times in runs)


def _taken_back(incident: Incident) -> set[str]:
    """The commands whose effect the next undo after them took back."""
    last, undone = "", set[str]()
    for action in incident.actions:
        if action.role == "act":
            last = action.command
        elif action.role == "undo" and action.outcome == "verified":
            undone.add(last)
    return undone


def _became(action: Action, undone: bool) -> str:
    became = "made no version" if (action.name, action.outcome) == ("retrain", "failed") else _BECAME[action.outcome]
    if action.outcome == "not_verified" and action.expects is not None and action.expects.metric == RESOLVED:
        became = "has not ended it"
    taken_back = " and was taken back" if undone and action.outcome in ("not_verified", "unknown") else ""
    return f", which {became}{taken_back}" if became else ""


def _tried(incident: Incident, since: int = 0) -> list[Action]:
    """Telling a person mends nothing."""
    ours = [action for action in incident.actions[since:] if action.role in ("act", "release")]
    return [action for action in ours if action.name != "notify"]


def _given_back_in_vain(action: Action) -> bool:
    return action.role == "release" and action.outcome in ("not_verified", "unknown")
