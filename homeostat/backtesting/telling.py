"""From what the loop said to the lines of the result's frames."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from typing import Any

from homeostat.backtesting.loop import Told
from shared.messages import Alert, AuditEntry, Command, CommandResult, ModelPublished
from shared.topics import ALERTS, AUDIT, COMMAND_RESULTS, COMMANDS, MODEL_PUBLISHED

Line = dict[str, Any]

COUNTS = ("alerts", "actions", "incidents", "resolved", "open", "escalated")
_OUTCOMES = ("verified", "not_verified", "unknown", "undone")
_BEGINS, _ENDS = ("incident_opened", "triaged"), ("incident_resolved", "incident_expired")
_OF_MESSAGES = {"verified": "told; it passed", "not_verified": "told; it has not passed"}
_NOT_DECISIONS = ("model_published", "pipeline_defined", "measuring")


def alerts_of(told: Told, policy: str) -> Iterator[Line]:
    """Each alert as it was raised, changed or ended."""
    alert: Alert
    for row, _, alert in told.of(ALERTS):
        cause = alert.causes[0] if alert.causes else None
        yield {
            "policy": policy,
            "row": row,
            "at": alert.at,
            "id": alert.id,
            "kind": alert.kind,
            "severity": alert.severity,
            "state": alert.state,
            "cause": "" if cause is None else f"{cause.kind} {cause.what}",
            "statistic": alert.evidence.statistic,
            "value": alert.evidence.value,
            "threshold": alert.evidence.threshold,
            "summary": alert.summary,
        }


def decisions_of(told: Told, policy: str) -> Iterator[Line]:
    """The ledger, but for what others published and how far a measuring is."""
    entry: AuditEntry
    for row, _, entry in told.of(AUDIT):
        if entry.kind not in _NOT_DECISIONS:
            yield {
                "policy": policy,
                "row": row,
                "at": entry.at,
                "incident": entry.incident,
                "kind": entry.kind,
                "diagnosis": str(entry.body.get("diagnosis") or ""),
                "summary": entry.summary,
            }


def actions_of(told: Told, policy: str, training_seconds: float) -> Iterator[Line]:
    """Each command with its last result and what the ledger measured of it."""
    results: dict[str, CommandResult] = {}
    for _, _, result in told.of(COMMAND_RESULTS):
        results[result.command] = result
    outcomes = _outcomes(told)
    command: Command
    for row, _, command in told.of(COMMANDS):
        found = results.get(command.id)
        learns = command.action in ("retrain", "recalibrate") and found is not None
        yield {
            "policy": policy,
            "row": row,
            "at": command.at,
            "incident": command.incident,
            "action": command.action,
            "arguments": json.dumps(command.arguments, sort_keys=True),
            "issued_by": command.issued_by,
            "reason": command.reason,
            "state": "sent" if found is None else found.state,
            "model_version": None if found is None else found.model_version,
            "training_seconds": training_seconds if learns and command.action == "retrain" else 0.0,
            "outcome": outcomes.get(command.id, ""),
        }


def versions_of(told: Told, policy: str) -> Iterator[Line]:
    """Each model that took a stage."""
    message: ModelPublished
    for row, at, message in told.of(MODEL_PUBLISHED):
        yield {
            "policy": policy,
            "row": row,
            "at": at,
            "version": message.version,
            "stage": message.stage,
            "weight": message.weight,
            "estimator": message.lineage.estimator,
            "trained_on": message.lineage.rows,
            "reason": message.reason,
        }


def _outcomes(told: Told) -> Mapping[str, str]:
    found: dict[str, str] = {}
    for _, _, entry in told.of(AUDIT):
        command = entry.body.get("command")
        if entry.kind in _OUTCOMES and isinstance(command, str):
            outcome = _outcome(entry)
            found[command] = f"{found[command]}, {outcome}" if command in found else outcome
    return found


def _outcome(entry: AuditEntry) -> str:
    """What was measured; of a message to a person, which mends nothing, whether the trouble passed meanwhile."""
    if entry.body.get("action") == "notify" and entry.kind in _OF_MESSAGES:
        return _OF_MESSAGES[entry.kind]
    return entry.kind.replace("_", " ")


def counts_of(told: Told) -> Mapping[str, int]:
    """How many alerts were raised, actions ordered, incidents opened, resolved, left open, and handed to a person."""
    entries = [entry for _, _, entry in told.of(AUDIT)]
    ended = {kind: {e.incident for e in entries if e.kind == kind} for kind in ("incident_resolved", "escalated")}
    newest = {entry.incident: entry.kind for entry in entries if entry.kind in (*_BEGINS, *_ENDS)}
    return {
        "alerts": len({alert.id for _, _, alert in told.of(ALERTS)}),
        "actions": len(told.of(COMMANDS)),
        "incidents": len({entry.incident for entry in entries if entry.incident}),
        "resolved": len(ended["incident_resolved"]),
        "open": sum(kind in _BEGINS for kind in newest.values()),
        "escalated": len(ended["escalated"]),
    }
