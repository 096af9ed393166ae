"""Incidents: the ledger's entries by incident, joined with what they speak of when asked.

The topics an incident is told on arrive in any order; so the join is made at reading, not at folding.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

from services.gateway.readmodel.alerts import AlertBook, AlertState
from services.gateway.readmodel.entry import Entry, Packed, in_order, plain
from services.gateway.readmodel.models import ModelBook
from services.gateway.readmodel.orders import CommandBook
from services.gateway.readmodel.pipelines import PipelineBook
from services.gateway.readmodel.progress import progress_of
from shared.messages import Alert, AuditEntry, Command, CommandResult, ModelPublished
from shared.topics import AUDIT

INCIDENTS_KEPT = 1000
ENTRIES_PER_INCIDENT = 500
STATES = {
    "incident_opened": "open",
    "triaged": "open",
    "awaiting_approval": "awaiting_approval",
    "approved": "acting",
    "rejected": "escalated",
    "command_issued": "acting",
    "verified": "verified",
    "not_verified": "open",
    "unknown": "open",
    "undone": "undone",
    "escalated": "escalated",
    "incident_resolved": "resolved",
    "incident_expired": "expired",
}
CLOSED = ("resolved", "expired")
_LEADING = ("incident_opened", "triaged")
TOPIC_ORDER = ("alerts", "audit", "commands", "command-results", "model-published")


@dataclass(slots=True)
class Incident:
    """One incident as the ledger tells it, oldest entry first."""

    id: str
    pipeline: str
    entries: list[Entry[AuditEntry]] = field(default_factory=list)

    @property
    def state(self) -> str:
        """Where it stands, by the newest entry that moves it. Telling a person moves nothing, nor does the result of a
        command whose incident was closed before it came.
        """
        telling = {e.message.body.get("command") for e in self.entries if e.message.body.get("action") == "notify"}
        for entry in reversed(self.entries):
            message = entry.message
            if message.body.get("command") in telling - {None}:
                continue
            if message.kind == "command_result" and message.body.get("incident_state") in CLOSED:
                continue
            if message.kind == "command_result" and "succeeded" in (
                message.body.get("result"),
                message.body.get("state"),
            ):
                return "verifying"
            if message.kind in STATES:
                return STATES[message.kind]
        return "open"

    def last(self, *kinds: str) -> AuditEntry | None:
        return next((entry.message for entry in reversed(self.entries) if entry.message.kind in kinds), None)

    def verdict_on(self, command: str) -> AuditEntry | None:
        """The newest word on whether the command did what was expected of it."""
        kinds = ("verified", "not_verified", "unknown", "undone")
        entries = (entry.message for entry in reversed(self.entries))
        return next((e for e in entries if e.kind in kinds and e.body.get("command") == command), None)


@dataclass(slots=True)
class _Kept:
    """An incident as it is held: where it stands, and its entries packed."""

    id: str
    pipeline: str
    entries: list[Packed[AuditEntry]] = field(default_factory=list)
    _state: str | None = None

    def add(self, entry: Entry[AuditEntry]) -> None:
        self.entries.append(Packed.of(entry))
        if len(self.entries) > ENTRIES_PER_INCIDENT:
            del self.entries[ENTRIES_PER_INCIDENT // 10]  # how it began and what came last are told
        self._state = None

    @property
    def state(self) -> str:
        """As `Incident.state`, worked out once for all that came."""
        if self._state is None:
            self._state = self.whole().state
        return self._state

    def whole(self) -> Incident:
        return Incident(self.id, self.pipeline, [packed.entry(AUDIT) for packed in self.entries])


class IncidentBook:
    """The newest `INCIDENTS_KEPT` incidents; closed ones are forgotten first."""

    def __init__(
        self,
        alerts: AlertBook,
        commands: CommandBook,
        models: ModelBook,
        pipelines: PipelineBook,
        kept: int = INCIDENTS_KEPT,
    ) -> None:
        self._alerts = alerts
        self._pipelines = pipelines
        self._commands = commands
        self._models = models
        self._kept = kept
        self._incidents: dict[str, _Kept] = {}
        self._by_alert: dict[str, str] = {}

    def on_audit(self, entries: Sequence[Entry[AuditEntry]]) -> None:
        for entry in entries:
            message = entry.message
            if message.incident:
                self._incidents.setdefault(message.incident, _Kept(message.incident, message.pipeline)).add(entry)
            if message.incident and isinstance(message.body.get("alert"), str):
                self._by_alert[str(message.body["alert"])] = message.incident
        while len(self._incidents) > self._kept:
            closed = (name for name, incident in self._incidents.items() if incident.state in CLOSED)
            gone = next(closed, next(iter(self._incidents)))
            del self._incidents[gone]
            self._by_alert = {alert: incident for alert, incident in self._by_alert.items() if incident != gone}

    def of_alert(self, alert: str) -> str:
        """The incident that an alert belongs to, by its id; empty where the ledger has not said so yet."""
        return self._by_alert.get(alert, "")

    def held(self) -> list[Entry[AuditEntry]]:
        """All entries that are remembered."""
        return in_order(packed.entry(AUDIT) for kept in self._incidents.values() for packed in kept.entries)

    def get(self, incident: str) -> Incident | None:
        kept = self._incidents.get(incident)
        return None if kept is None else kept.whole()

    def select(self, *, pipeline: str | None, state: str | None, limit: int = 100) -> list[dict[str, Any]]:
        """Newest first, without steps. `state` ``open`` means any that is not closed."""
        found = [
            kept
            for kept in reversed(self._incidents.values())
            if pipeline in (None, kept.pipeline) and _is(kept.state, state)
        ]
        return [self.summary(kept.whole()) for kept in found[:limit]]

    def open_in(self, pipeline: str) -> int:
        """How many of the pipeline's are not closed."""
        return sum(each.pipeline == pipeline and each.state not in CLOSED for each in self._incidents.values())

    def summary(self, incident: Incident) -> dict[str, Any]:
        """What a list shows: what was noticed, what it blames, what was done, what became of it."""
        first, last = incident.entries[0].message, incident.entries[-1].message
        alerts = self.alerts_of(incident)
        commands = self._commands.of_incident(incident.id)
        outcome = incident.last("verified", "not_verified", "unknown", "undone", "escalated", "incident_resolved")
        return {
            "id": incident.id,
            "pipeline": incident.pipeline,
            "state": incident.state,
            "opened": first.at.isoformat(),
            "updated": last.at.isoformat(),
            "closed": last.at.isoformat() if incident.state in CLOSED else None,
            "summary": self._headline(incident, alerts),
            "alerts": [_alert(state) for state in alerts],
            "cause": _cause(alerts, incident),
            "actions": [self._action(entry, incident) for entry in commands],
            "outcome": None if outcome is None else outcome.summary,
            "awaiting_approval": incident.state == "awaiting_approval",
            "progress": self._progress(incident, [entry.message for entry in commands]),
        }

    def _progress(self, incident: Incident, commands: Sequence[Command]) -> dict[str, Any] | None:
        """How far the measuring of the newest action is; None where none is measured now."""
        measured = next((command for command in reversed(commands) if command.expects is not None), None)
        if incident.state != "verifying" or measured is None or incident.verdict_on(measured.id) is not None:
            return None
        pipeline = self._pipelines.get(incident.pipeline)
        entries = [entry.message for entry in incident.entries]
        return progress_of(measured, entries, None if pipeline is None else pipeline.specification)

    def _headline(self, incident: Incident, alerts: list[AlertState]) -> str:
        """What the alert that leads now last said while it fired, else what was written when it took the lead; and what
        the incident began with, where that was another alert.
        """
        leads = [e.message for e in incident.entries if e.message.kind in _LEADING and e.message.body.get("alert")]
        if not leads:
            return incident.entries[0].message.summary
        lead = leads[-1].body["alert"]
        told = [e.message for state in alerts if state.newest.id == lead for e in state.entries]
        firing = [alert.summary for alert in told if alert.state == "firing"]
        now = firing[-1] if firing else next(e.summary for e in leads if e.body["alert"] == lead)
        places = {state.newest.id: state.newest.fingerprint for state in alerts}
        first = leads[0]
        same = first.body["alert"] == lead or first.body.get("fingerprint") == places.get(str(lead), "")
        return now if same or first.summary == now else f"{now.removesuffix('.')}; it began with: {first.summary}"

    def view(self, incident: Incident) -> dict[str, Any]:
        """The summary and every step, each with its place in the log, in the order they happened."""
        return self.summary(incident) | {"steps": self.steps(incident)}

    def steps(self, incident: Incident) -> list[dict[str, Any]]:
        found = [*self._audit_steps(incident), *self._other_steps(incident)]
        found.sort(key=lambda step: (step["at"], TOPIC_ORDER.index(step["topic"]), step["offset"]))
        return found

    def alerts_of(self, incident: Incident) -> list[AlertState]:
        """The alerts that the ledger's entries refer to, in the order they were referred to."""
        names: dict[str, None] = {}
        for entry in incident.entries:
            body = entry.message.body
            for name in (body.get("alert"), *_listed(body.get("alerts"))):
                if isinstance(name, str):
                    names[name] = None
            for ref in entry.message.refs:
                name = self._alerts.at(ref) if ref.topic == "alerts" else None
                if name is not None:
                    names[name] = None
        states = (self._alerts.get(name) for name in names)
        return [state for state in states if state is not None]

    def _audit_steps(self, incident: Incident) -> Iterator[dict[str, Any]]:
        for entry in incident.entries:
            message = entry.message
            refs = [plain(ref) for ref in message.refs]
            yield _step(entry, message.kind, message.summary, message.body | {"refs": refs})

    def _other_steps(self, incident: Incident) -> Iterator[dict[str, Any]]:
        for state in self.alerts_of(incident):
            for alert in _turns(state):
                yield _step(alert, f"alert_{alert.message.state}", alert.message.summary, plain(alert.message))
        for command in self._commands.of_incident(incident.id):
            yield _step(command, "command", command.message.reason, plain(command.message))
            for result in self._commands.results(command.message.id):
                yield _step(result, f"command_{result.message.state}", _told(result), plain(result.message))
        for published in self._models.of_incident(incident.id):
            yield _step(published, "model_published", _published(published), plain(published.message))

    def _action(self, entry: Entry[Command], incident: Incident) -> dict[str, Any]:
        results = self._commands.results(entry.message.id)
        judged = incident.verdict_on(entry.message.id)
        newest = results[-1].message if results else None
        expects = entry.message.expects
        return {
            "command": entry.message.id,
            "action": entry.message.action,
            "arguments": entry.message.arguments,
            "reason": entry.message.reason,
            "issued_by": entry.message.issued_by,
            "at": entry.message.at.isoformat(),
            "expects": None if expects is None else plain(expects),
            "state": "pending" if newest is None else newest.state,
            "detail": "" if newest is None else newest.detail,
            "model_version": None if newest is None else newest.model_version,
            "verdict": None if judged is None else judged.kind,
            "measured": None if judged is None else judged.body.get("measured"),
            "measured_rows": None if judged is None else judged.body.get("rows"),
        }


def _is(state: str, wanted: str | None) -> bool:
    return wanted in (None, state) or (wanted == "open" and state not in CLOSED)


def _listed(value: object) -> Sequence[object]:
    return value if isinstance(value, list | tuple) else ()


def _turns(state: AlertState) -> Iterator[Entry[Alert]]:
    """The records at which the alert began, grew more severe, or ended."""
    before: tuple[str, str] | None = None
    for entry in state.entries:
        now = (entry.message.state, entry.message.severity)
        if now != before:
            yield entry
        before = now


def _alert(state: AlertState) -> dict[str, Any]:
    alert = state.newest
    return {
        "id": alert.id,
        "kind": alert.kind,
        "severity": alert.severity,
        "state": alert.state,
        "since": alert.since.isoformat(),
        "summary": alert.summary,
        "evidence": plain(alert.evidence),
    }


def _cause(alerts: Sequence[AlertState], incident: Incident) -> dict[str, Any] | None:
    """The verdict as of the ledger's newest entry that has one, else the first alert's first suspect."""
    verdict = next((e.message.body["cause"] for e in reversed(incident.entries) if "cause" in e.message.body), None)
    if isinstance(verdict, dict):
        return verdict
    suspects = [cause for state in alerts for cause in state.newest.causes[:1]]
    found = plain(suspects[0]) if suspects else None
    return {"what": verdict, "kind": "", "detail": ""} if isinstance(verdict, str) and not found else found


def _told(result: Entry[CommandResult]) -> str:
    return result.message.detail or f"{result.message.service}: {result.message.state}"


def _published(entry: Entry[ModelPublished]) -> str:
    message = entry.message
    return f"version {message.version} is {message.stage}" + (f": {message.reason}" if message.reason else "")


def _step(entry: Entry[Any], kind: str, summary: str, body: dict[str, Any]) -> dict[str, Any]:
    at = getattr(entry.message, "at", entry.at)
    return {"at": at.isoformat(), "kind": kind, "summary": summary, **entry.place, "body": body}
