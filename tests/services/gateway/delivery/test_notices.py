"""What is told to whom, how severe it is, and what is no news."""

from __future__ import annotations

import pytest

from shared.topics import ALERTS, AUDIT, COMMANDS
from tests.services.gateway.delivery.receiving import Receiver, subscribe
from tests.services.gateway.messages import alert, audit, command
from tests.services.gateway.running import Running


def test_filters_hold_back_what_was_not_asked_for(gateway: Running, receiver: Receiver) -> None:
    subscribe(gateway, receiver.url, filters={"severities": ["critical"], "pipelines": ["elec2"], "events": ["alert"]})
    gateway.put(
        ALERTS,
        alert(id="a", severity="warning"),
        alert(id="b", pipeline="other"),
        alert(id="c"),
    )

    assert receiver.take()["data"]["id"] == "c"
    assert receiver.got.empty()


@pytest.mark.parametrize(
    ("kind", "severity", "told"),
    [
        ("incident_opened", "critical", "critical"),
        ("not_verified", "warning", "warning"),
        ("unknown", "warning", "warning"),
        ("incident_resolved", "critical", "critical"),
        ("escalated", "warning", "critical"),
        ("incident_expired", "info", "warning"),
        ("incident_opened", None, "info"),
    ],
)
def test_what_happens_in_an_incident_is_as_severe_as_the_incident(
    gateway: Running, receiver: Receiver, kind: str, severity: str | None, told: str
) -> None:
    subscribe(gateway, receiver.url, filters={"severities": [told], "events": ["incident"]})

    gateway.put(AUDIT, audit(0, kind, kind, body={} if severity is None else {"severity": severity}))

    notice = receiver.take()
    assert (notice["type"], notice["severity"]) == (f"incident.{kind}", told)


def test_of_a_critical_incident_its_subscriber_hears_the_beginning_and_once_that_it_is_over(
    gateway: Running, receiver: Receiver
) -> None:
    subscribe(gateway, receiver.url, filters={"severities": ["critical"], "events": ["incident"]})
    told = {"severity": "critical"}
    gateway.put(ALERTS, alert())
    gateway.put(
        AUDIT,
        audit(0, "incident_opened", "accuracy fell", body={**told, "alert": "alert-1"}),
        audit(1, "command_issued", "retrain", body={**told, "action": "retrain", "command": "command-1"}),
    )
    gateway.put(ALERTS, alert("resolved"))
    gateway.put(AUDIT, audit(2, "verified", "it helped", body=told), audit(3, "incident_resolved", "healed", body=told))

    assert [receiver.take()["type"] for _ in range(2)] == ["incident.incident_opened", "incident.incident_resolved"]
    assert receiver.got.empty()


def test_a_request_that_nobody_answered_pages_nobody(gateway: Running, receiver: Receiver) -> None:
    subscribe(gateway, receiver.url, filters={"events": ["incident"]})

    gateway.put(AUDIT, audit(0, "escalated", "no answer", body={"severity": "info", "diagnosis": "request"}))

    assert receiver.take()["severity"] == "warning"


def test_an_alert_is_told_with_the_incident_it_belongs_to_once_there_is_one(
    gateway: Running, receiver: Receiver
) -> None:
    subscribe(gateway, receiver.url, filters={"events": ["alert"]})
    gateway.put(ALERTS, alert())
    fired = receiver.take()
    gateway.put(AUDIT, audit(0, "incident_opened", "x", body={"alert": "alert-1"}))
    gateway.put(ALERTS, alert("resolved"))

    assert (fired["incident"], receiver.take()["incident"]) == (None, "incident-1")


def test_that_a_person_is_told_is_no_notice_beside_what_the_person_is_told(
    gateway: Running, receiver: Receiver
) -> None:
    subscribe(gateway, receiver.url, filters={"events": ["incident"]})
    gateway.put(
        AUDIT,
        audit(0, "command_issued", "tell a person: look", body={"action": "notify", "command": "command-1"}),
        audit(1, "command_issued", "retrain", body={"action": "retrain", "command": "command-2"}),
    )

    assert receiver.take()["text"] == "retrain"


@pytest.mark.parametrize(
    ("given", "told", "title"),
    [
        ({"severity": "info", "occasion": "ended"}, "info", "elec2: how an incident ended"),
        ({"severity": "warning", "occasion": "request"}, "warning", "elec2: what came of a request"),
        ({"severity": "warning", "occasion": "approval"}, "warning", "elec2: an approval is asked for"),
        ({"severity": "critical", "occasion": "escalated"}, "critical", "elec2: a person is asked for"),
        ({"severity": "warning"}, "warning", "elec2: a person is asked for"),
        ({}, "critical", "elec2: a person is asked for"),
    ],
    ids=lambda value: "-".join(value.values()) if isinstance(value, dict) else None,
)
def test_an_order_to_notify_is_as_severe_as_it_says_and_titled_by_its_occasion(
    gateway: Running, receiver: Receiver, given: dict[str, str], told: str, title: str
) -> None:
    subscribe(gateway, receiver.url, filters={"events": ["notify"]})

    gateway.put(COMMANDS, command(action="notify", arguments={"message": "look", **given}, expects=None))

    notice = receiver.take()
    assert (notice["severity"], notice["title"]) == (told, title)
