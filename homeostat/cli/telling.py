"""An incident's steps as a person reads them: each action once, with what became of it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

Step = Mapping[str, Any]

_RESULTS = ("accepted", "running", "succeeded", "failed", "refused", "expired")
_ABOUT_MEASURING = ("measuring", "verified", "not_verified", "unknown", "undone")
_ABOUT_ACTIONS = ("command_issued", "command_result", *(f"command_{state}" for state in _RESULTS))


def steps_of(incident: Step) -> list[dict[str, Any]]:
    """Lines of `at`, `step`, `summary`, `state` and `where` (place in the log), in the order they happened.

    An action is one line, at which it was ordered; its results are its `state` and its detail. What two
    topics tell alike (a version that was published) is told once. Of a measuring only how far it is now is told.
    """
    return list(_lines(incident))


def _lines(incident: Step) -> Iterator[dict[str, Any]]:
    steps, actions = incident["steps"], {action["command"]: action for action in incident["actions"]}
    ordered = {step["body"].get("id") for step in steps if step["kind"] == "command"} & actions.keys()
    published = {step["body"].get("version") for step in steps if _is_published(step) and step["topic"] != "audit"}
    measuring = {step["body"].get("command"): step for step in steps if step["kind"] in _ABOUT_MEASURING}
    for step in steps:
        if step["kind"] == "measuring" and step is not measuring.get(step["body"].get("command")):
            continue
        kind, body = step["kind"], step["body"]
        if kind == "command" and body.get("id") in ordered:
            yield _action(step, actions[body["id"]])
        elif kind in _ABOUT_ACTIONS and body.get("command") in ordered:
            continue
        elif not (_is_published(step) and step["topic"] == "audit" and body.get("version") in published):
            yield _line(step, kind, step["summary"], "")


def state_of(incident: Step) -> str:
    """Its state, with how far it is where its effect is being measured."""
    progress = incident.get("progress")
    return f"{incident['state']}, {progress['told']}" if progress else str(incident["state"])


def _action(step: Step, action: Step) -> dict[str, Any]:
    detail = action["detail"]
    told = step["summary"]
    if detail and detail not in told:
        told = f"{told} ({detail})" if told.endswith((".", "!", "?")) else f"{told}: {detail}"
    return _line(step, action["action"], told, action["state"])


def _line(step: Step, kind: str, summary: str, state: str) -> dict[str, Any]:
    where = f"{step.get('topic')}/{step.get('partition')}@{step.get('offset')}" if step.get("topic") else ""
    return {"at": step["at"], "step": kind, "summary": summary, "state": state, "where": where}


def _is_published(step: Step) -> bool:
    return bool(step["kind"] == "model_published")
