"""What is delivered: one event of the log in the form a receiver takes. Pure."""

from __future__ import annotations

import base64
import hashlib
import hmac
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Any

from services.gateway.readmodel.entry import Entry, plain
from shared.messages import Alert, AuditEntry, Command

TOPICS = ("alerts", "audit", "commands")
NEVER = "0001-01-01T00:00:00Z"
SEVERITIES = ("info", "warning", "critical")
AT_LEAST = {"escalated": "critical", "awaiting_approval": "warning", "incident_expired": "warning"}
IN_BETWEEN = ("command_issued", "verified")
"""Steps on the way to an end that is told itself, and that need nobody: news for whoever follows along."""
OCCASIONS = {
    "approval": "an approval is asked for",
    "expired": "nobody decided in time",
    "request": "what came of a request",
    "ended": "how an incident ended",
}
"""What an order to notify is given for, in the words of its title; on any other occasion a person is asked for."""

TOLD_AFTER = ("ended", "expired", "request")
"""The occasions on which people are told of what is over."""

TOLD = (
    "incident_opened",
    "awaiting_approval",
    "command_issued",
    "verified",
    "not_verified",
    "unknown",
    "undone",
    "escalated",
    "incident_resolved",
    "incident_expired",
)


@dataclass(frozen=True, slots=True)
class Notice:
    """One thing to tell. `id` is the same whenever the same thing is told again."""

    id: str
    type: str
    pipeline: str
    kind: str
    severity: str
    state: str
    title: str
    text: str
    at: datetime
    incident: str
    fingerprint: str
    data: dict[str, Any]
    command: str | None = None


def notice_of(entry: Entry[Any], incident_of: Callable[[str], str] = lambda _: "") -> Notice | None:
    """The notice that an entry of `TOPICS` is, or None where nobody needs to be told.

    `incident_of` gives the incident that an alert's id belongs to, empty where none is known.
    """
    message = entry.message
    data = plain(message) | entry.place
    event = f"{entry.topic}-{entry.partition}-{entry.offset}"
    if isinstance(message, Alert):
        return _of_alert(event, message, data, incident_of(message.id))
    if isinstance(message, AuditEntry) and message.incident and _is_told(message):
        return _of_incident(event, message, data)
    if isinstance(message, Command) and message.action == "notify":
        return _of_order(event, message, data)
    return None


def _is_told(entry: AuditEntry) -> bool:
    """An order to notify is told as itself: that it was given is no news beside it."""
    return entry.kind in TOLD and not (entry.kind == "command_issued" and entry.body.get("action") == "notify")


def _of_alert(event: str, alert: Alert, data: dict[str, Any], incident: str) -> Notice:
    return Notice(
        id=event,
        type=f"alert.{alert.state}",
        pipeline=alert.pipeline,
        kind=alert.kind,
        severity=alert.severity,
        state=alert.state,
        title=f"{alert.pipeline}: {alert.kind.replace('_', ' ')} {alert.state}",
        text=alert.summary,
        at=alert.at,
        incident=incident,
        fingerprint=alert.fingerprint,
        data=data,
    )


def _of_incident(event: str, entry: AuditEntry, data: dict[str, Any]) -> Notice:
    closed = entry.kind in ("incident_resolved", "incident_expired")
    asked = entry.body.get("diagnosis") == "request"
    at_least = "warning" if asked and entry.kind == "escalated" else AT_LEAST.get(entry.kind, "info")
    return Notice(
        id=event,
        type=f"incident.{entry.kind}",
        pipeline=entry.pipeline,
        kind="incident",
        severity="info" if entry.kind in IN_BETWEEN else max(str(entry.body.get("severity")), at_least, key=_rank),
        state="resolved" if closed else "firing",
        title=f"{entry.pipeline}: {entry.kind.replace('_', ' ')}",
        text=entry.summary,
        at=entry.at,
        incident=entry.incident,
        fingerprint=entry.incident,
        data=data,
    )


def _rank(severity: str) -> int:
    return SEVERITIES.index(severity) if severity in SEVERITIES else -1


def _of_order(event: str, order: Command, data: dict[str, Any]) -> Notice:
    severity = str(order.arguments.get("severity"))
    occasion = OCCASIONS.get(str(order.arguments.get("occasion")), "a person is asked for")
    return Notice(
        id=event,
        type="notify",
        pipeline=order.pipeline,
        kind="notify",
        severity=severity if severity in SEVERITIES else "critical",
        state="firing",
        title=f"{order.pipeline}: {occasion}",
        text=str(order.arguments.get("message") or order.reason),
        at=order.at,
        incident=order.incident,
        fingerprint=order.incident,
        data=data,
        command=order.id,
    )


def over_by_now(notice: Notice) -> Notice:
    """The notice of an order given in the midst of an incident that is over since; others as they are."""
    if notice.command is None or notice.data["arguments"].get("occasion") in TOLD_AFTER:
        return notice
    return replace(notice, title=f"{notice.title} (over by now)", text=f"It is over by now. {notice.text}")


def test_notice(subscription: str, now: datetime) -> Notice:
    """What `POST …/test` sends."""
    return Notice(
        id=f"test-{int(now.timestamp())}",
        type="test",
        pipeline="_system",
        kind="test",
        severity="info",
        state="firing",
        title="Homeostat: test",
        text=f"Subscription {subscription} works.",
        at=now,
        incident="",
        fingerprint="test",
        data={},
    )


def webhook_body(notice: Notice) -> dict[str, Any]:
    """Homeostat's own form."""
    return {
        "id": notice.id,
        "type": notice.type,
        "timestamp": notice.at.isoformat(),
        "pipeline": notice.pipeline,
        "severity": notice.severity,
        "title": notice.title,
        "text": notice.text,
        "incident": notice.incident or None,
        "data": notice.data,
    }


def alertmanager_body(notice: Notice, receiver: str, external_url: str) -> dict[str, Any]:
    """Prometheus Alertmanager's webhook, version 4, with one alert in it."""
    labels = {"alertname": notice.kind, "pipeline": notice.pipeline, "severity": notice.severity}
    annotations = {"summary": notice.title, "description": notice.text}
    if notice.incident:
        # An alert fires before its incident is open, and its labels must stay the same until it is resolved.
        (annotations if notice.type.startswith("alert.") else labels)["incident"] = notice.incident
    began = str(notice.data.get("since") or notice.at.isoformat())
    resolved = notice.state == "resolved"
    alert = {
        "status": notice.state,
        "labels": labels,
        "annotations": annotations,
        "startsAt": began,
        "endsAt": notice.at.isoformat() if resolved else NEVER,
        "generatorURL": external_url,
        "fingerprint": hashlib.sha256(notice.fingerprint.encode()).hexdigest()[:16],
    }
    return {
        "version": "4",
        "groupKey": f"{{}}:{{fingerprint={notice.fingerprint!r}}}",
        "truncatedAlerts": 0,
        "status": notice.state,
        "receiver": receiver,
        "groupLabels": {"alertname": notice.kind},
        "commonLabels": labels,
        "commonAnnotations": annotations,
        "externalURL": external_url,
        "alerts": [alert],
    }


def signature(secret: str, event: str, at: datetime, body: bytes) -> dict[str, str]:
    """Headers by the Standard Webhooks specification, 1.0: HMAC-SHA256 over ``id.timestamp.body``.

    `secret` is ``whsec_`` and base64; the receiver compares `webhook-signature` after ``v1,``.
    """
    seconds = str(int(at.astimezone(UTC).timestamp()))
    key = base64.b64decode(secret.removeprefix("whsec_"))
    digest = hmac.new(key, b".".join((event.encode(), seconds.encode(), body)), hashlib.sha256).digest()
    return {
        "webhook-id": event,
        "webhook-timestamp": seconds,
        "webhook-signature": "v1," + base64.b64encode(digest).decode(),
    }
