"""An incident and the states it may take: every one that waits has a deadline, every move a reason.

opened ──► triaged ──► awaiting_approval ──► acting ──► verifying ──► resolved
              ▲                                 │           │
              └────────── next rung ◄── undoing ◄───────────┘
escalated: a person has it.  expired: nobody did anything in time.
"""

from __future__ import annotations

from datetime import datetime
from typing import Literal

import msgspec

from shared.messages import ActionName, Alert, Expectation, LogPosition, Request

IncidentState = Literal[
    "opened",
    "triaged",
    "awaiting_approval",
    "acting",
    "verifying",
    "undoing",
    "resolved",
    "escalated",
    "expired",
]
Role = Literal["act", "undo", "release", "aside", "tell"]
"""``aside`` is an undo and ``tell`` a message that nobody waits for."""
Outcome = Literal["sent", "succeeded", "failed", "expired", "verified", "not_verified", "unknown", "superseded"]

UPKEEP = "upkeep"
"""The diagnosis of an incident that no trouble began."""

CLOSED: tuple[IncidentState, ...] = ("resolved", "expired")
KEPT_MOMENTS = 150
KEPT_ALERTS = 50

MOVES: dict[IncidentState, tuple[IncidentState, ...]] = {
    "opened": ("triaged",),
    "triaged": ("triaged", "awaiting_approval", "acting", "verifying", "escalated", "resolved", "expired"),
    "awaiting_approval": ("triaged", "acting", "verifying", "escalated", "resolved", "expired"),
    "acting": ("triaged", "verifying", "undoing", "escalated", "resolved"),
    "verifying": ("triaged", "acting", "verifying", "undoing", "escalated", "resolved"),
    "undoing": ("triaged", "escalated", "resolved"),
    "escalated": ("acting", "resolved", "expired"),
    "resolved": ("triaged", "verifying"),
    "expired": (),
}


class Diagnosis(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What is thought to be wrong. `rank`: the lower, the nearer to the root of trouble.

    `cause` is the kind of the first cause, as policies name it; `what` the suspect; `fields` what a
    quarantine would withhold, from each of `sources`; `version` the suspect version or the one to return to.
    """

    name: str
    cause: str
    what: str
    rank: int
    fields: tuple[str, ...] = ()
    sources: tuple[str, ...] = ()
    version: str = ""
    why: str = ""


class Action(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One command of an incident and what became of it.

    `version` is the one that answers if it works; `left` the champion when it was issued. `from_row`
    is where its effect is measured from; `fresh` says that `version` never answered before, `late` that its alert had
    ended before it was carried out. `ends` are the ends that were told of it: one that is told again changes
    nothing. `measured_rows`: over how many it was measured, or is so far.
    """

    command: str
    name: ActionName
    arguments: dict[str, object]
    role: Role
    rung: int
    at: datetime
    row: int
    deadline: datetime
    reason: str
    issued_by: str
    outcome: Outcome = "sent"
    expects: Expectation | None = None
    baseline: float | None = None
    level: float | None = None
    version: str | None = None
    left: str | None = None
    fresh: bool = False
    late: bool = False
    from_row: int = 0
    measured: float | None = None
    measured_rows: int = 0
    cost_seconds: float | None = None
    detail: str = ""
    ends: tuple[str, ...] = ()


class Moment(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One line of an incident's story: a ledger entry, told short."""

    at: datetime
    kind: str
    summary: str
    sequence: int
    refs: tuple[LogPosition, ...] = ()


class Incident(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One trouble, from its first sign to its end. `lead` is the alert that decides, by fingerprint.

    `paused_by` names the more urgent incident that holds this one's clock, or took its place. `told` says that a person
    has been called, `good_news` that one has heard of its end. `tried_before`: how many of its actions are older
    than its last reopening, or than its handing over to a person. `lingers_from`: how many rows there were when a late
    consequence of it was last told, `waits_from`: when its clock was last set for a wait. `unrestored`: its alert
    ended, and performance was not back. `request` is set where a person, not an alert, began it.
    """

    id: str
    pipeline: str
    opened_at: datetime
    opened_row: int
    state: IncidentState = "opened"
    since: datetime
    deadline: datetime | None = None
    why: str = ""
    alerts: dict[str, Alert] = {}
    lead: str = ""
    diagnosis: Diagnosis
    policy: str = ""
    rung: int = 0
    actions: tuple[Action, ...] = ()
    reopened: int = 0
    tried_before: int = 0
    closed_at: datetime | None = None
    closed_row: int = 0
    lingers_from: int = -1
    waits_from: int = 0
    unrestored: bool = False
    told: bool = False
    good_news: bool = False
    paused_by: str = ""
    approved_by: str = ""
    acknowledged_by: str = ""
    request: Request | None = None
    timeline: tuple[Moment, ...] = ()

    @property
    def open(self) -> bool:
        return self.state not in CLOSED

    @property
    def upkeep(self) -> bool:
        return self.diagnosis.name == UPKEEP

    @property
    def leading(self) -> Alert | None:
        return self.alerts.get(self.lead)

    @property
    def firing(self) -> tuple[Alert, ...]:
        """Its alerts that have not resolved, the nearest to the root first as they came."""
        return tuple(alert for alert in self.alerts.values() if alert.state == "firing")

    @property
    def last(self) -> Action | None:
        """The newest action whose outcome is waited for."""
        return next((action for action in reversed(self.actions) if action.role not in ("aside", "tell")), None)

    @property
    def withheld_sources(self) -> dict[str, Action]:
        """By source, the quarantine that this incident ordered and has not ordered to end."""
        found: dict[str, Action] = {}
        for action in self.actions:
            source = str(action.arguments.get("source"))
            if action.name == "quarantine_source" and action.role in ("act", "aside"):
                found[source] = action
            elif action.name == "release_source":
                found.pop(source, None)
        return found

    @property
    def began_with(self) -> str:
        """What was said of its first alert, where another one leads by now; else empty."""
        opened = self.timeline[0] if self.timeline and self.timeline[0].kind == "incident_opened" else None
        first = next(iter(self.alerts), self.lead)
        return "" if opened is None or first == self.lead else opened.summary

    @property
    def start_row(self) -> int:
        """The first row in which any of its alerts shows."""
        return min((start_row(alert) for alert in self.alerts.values()), default=self.opened_row)


def start_row(alert: Alert) -> int:
    """Where the trouble of `alert` is estimated to begin, in rows of the pipeline."""
    return (alert.evidence.change or alert.evidence.window).first_row


def moved(incident: Incident, to: IncidentState, why: str, now: datetime, deadline: datetime | None) -> Incident:
    """`incident` in its next state. A move that is not drawn above, a wait without a deadline or a
    move without a reason is a mistake of ours: ValueError.
    """
    if to not in MOVES[incident.state]:
        raise ValueError(f"incident {incident.id} cannot go from {incident.state} to {to} ({why})")
    if not why:
        raise ValueError(f"incident {incident.id}: a move from {incident.state} to {to} needs a reason")
    if (deadline is None) != (to in CLOSED):
        raise ValueError(f"incident {incident.id}: state {to} and deadline {deadline} do not go together")
    return msgspec.structs.replace(incident, state=to, why=why, since=now, deadline=deadline)


def with_action(incident: Incident, action: Action) -> Incident:
    """With `action` added, or in place of the one with the same command."""
    if any(old.command == action.command for old in incident.actions):
        actions = tuple(action if old.command == action.command else old for old in incident.actions)
    else:
        actions = (*incident.actions, action)
    return msgspec.structs.replace(incident, actions=actions)


def with_alert(incident: Incident, alert: Alert) -> Incident:
    """With the newest state of `alert`; the oldest resolved ones make room past `KEPT_ALERTS`."""
    alerts = {**incident.alerts, alert.fingerprint: alert}
    if len(alerts) > KEPT_ALERTS:
        spare = next((f for f, a in alerts.items() if f != incident.lead and a.state == "resolved"), None)
        spare = spare or next(f for f in alerts if f != incident.lead)
        del alerts[spare]
    return msgspec.structs.replace(incident, alerts=alerts)
