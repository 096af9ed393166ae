"""A trouble that lasts always has an incident: whatever is resolved, a grave alert never fires alone."""

from __future__ import annotations

import pytest

from services.remediator.core.limits import Limits
from shared.messages import Alert, Cause
from tests.support.desk import Desk


def refreshed() -> Desk:
    """Upkeep has just put version 2 in the place of version 1."""
    desk = Desk(upkeep=True, restarts=True)
    desk.steady(windows=8)
    desk.retrained(desk.last, "2")
    return desk


def blamed(desk: Desk) -> Alert:
    """The version that upkeep made is named as the cause of a collapse."""
    desk.pass_rows(0.3, version="2")
    return desk.alert("performance", ("version", "2"), severity="critical", value=0.3, since_row=2000, version="2")


def back_on(desk: Desk, version: str) -> None:
    desk.model(version, command=desk.last.id)
    desk.answer(desk.last, version=version)


def of_the_alert(desk: Desk, alert: Alert) -> list[str]:
    return [incident.state for incident in desk.incidents if alert.fingerprint in incident.alerts]


def test_a_refresh_blamed_for_a_collapse_is_rolled_back_by_an_incident_that_stays_until_performance_is_back() -> None:
    desk = refreshed()
    alert = blamed(desk)
    assert desk.last.action == "rollback"
    assert desk.last.expects is not None
    back_on(desk, "1")

    assert of_the_alert(desk, alert) == ["verifying"]


def test_where_the_version_before_is_as_bad_the_rollback_is_undone_and_the_next_remedy_tried() -> None:
    desk = refreshed()
    alert = blamed(desk)
    back_on(desk, "1")
    desk.pass_rows(0.3, version="1")
    desk.pass_rows(0.3, version="1")

    assert (desk.last.action, desk.last.arguments) == ("promote", {"version": "2", "force": True})
    back_on(desk, "2")
    assert desk.actions == ["retrain", "rollback", "promote", "retrain"]
    assert desk.last.issued_by == "policy:roll-back-bad-version@default"
    assert of_the_alert(desk, alert) == ["acting"]


def test_the_refresh_that_gave_way_to_the_incident_is_over() -> None:
    desk = refreshed()
    blamed(desk)

    assert [(incident.upkeep, incident.state) for incident in desk.incidents] == [(True, "resolved"), (False, "acting")]


def test_an_alert_that_fires_on_after_its_incident_was_resolved_is_taken_up_again() -> None:
    desk = Desk(restarts=True)
    desk.steady()
    alert = desk.alert("concept_drift", ("model", "1"), severity="critical", since_row=1000)
    desk.retrained(desk.last, "2")
    desk.pass_rows(0.9, version="2")
    desk.pass_rows(0.9, version="2")
    assert of_the_alert(desk, alert) == ["resolved"]
    for _ in range(8):
        desk.pass_rows(0.5, version="2")

    assert of_the_alert(desk, alert) not in (["resolved"], [])


def test_a_late_consequence_that_does_not_pass_is_taken_up() -> None:
    desk = Desk(restarts=True)
    desk.steady()
    bad = desk.alert("data_quality", ("feature", "price"), ("source", "feed"), statistic="unit.price", since_row=1000)
    desk.answer(desk.last)
    desk.resolve(bad)
    desk.answer(desk.last)
    desk.pass_rows(0.9)
    desk.pass_rows(0.9)
    late = desk.alert("concept_drift", ("model", "1"), severity="critical", since_row=1100)
    for _ in range(8):
        desk.pass_rows(0.5)

    assert [state for state in of_the_alert(desk, late) if state not in ("resolved", "expired")]


@pytest.mark.parametrize("severity", ["info", "critical"])
def test_what_is_only_watched_needs_no_incident(severity: str) -> None:
    desk = Desk(restarts=True)
    desk.steady()
    alert = desk.alert("concept_drift", ("model", "1"), severity="critical", since_row=1000)
    desk.retrained(desk.last, "2")
    desk.pass_rows(0.9, version="2")
    desk.pass_rows(0.9, version="2")
    desk.again(alert, severity=severity)
    for _ in range(8):
        desk.pass_rows(0.9, version="2")

    assert (of_the_alert(desk, alert) == ["resolved"]) is (severity == "info")


def test_a_late_consequence_in_the_window_of_the_end_is_given_the_same_time_to_pass() -> None:
    desk = Desk()
    desk.steady()
    bad = desk.alert("data_quality", ("feature", "price"), ("source", "feed"), statistic="unit.price", since_row=1000)
    desk.answer(desk.last)
    desk.resolve(bad)
    desk.answer(desk.last)
    for _ in range(3):
        desk.pass_rows(0.5)
    desk.alert("concept_drift", ("model", "1"), severity="critical", since_row=1100)

    assert desk.actions == ["quarantine_source", "release_source"]


def test_trouble_that_comes_again_is_met_though_its_old_incident_is_open_for_something_else() -> None:
    desk = Desk(restarts=True)
    desk.steady()
    field = (("feature", "price"), ("source", "feed"))
    bad = desk.alert("data_quality", *field, statistic="unit.price", since_row=1000)
    desk.answer(desk.last)
    desk.resolve(bad)
    desk.answer(desk.last)
    for _ in range(4):
        desk.pass_rows(0.9)
    desk.alert("data_drift", *(("feature", name) for name in ("price", "demand", "transfer")), since_row=1100)
    for _ in range(60):
        desk.pass_rows(0.9)
    assert desk.incident.lead.startswith("data_drift"), "what still fires leads now"
    assert desk.incident.open

    desk.alert("data_quality", *field, statistic="unit.price", since_row=desk.rows, firing=2)

    assert desk.actions.count("quarantine_source") == 2


def test_what_another_version_loses_is_no_consequence_of_the_bad_one() -> None:
    desk = Desk()
    desk.steady()
    desk.model("2")
    desk.pass_rows(0.3, version="2")
    desk.alert("performance", ("version", "2"), severity="critical", value=0.3, since_row=2000, version="2")
    desk.model("1", command=desk.last.id)
    desk.answer(desk.last, version="1")

    desk.alert("concept_drift", ("model", "2"), severity="critical", since_row=2100, version="2", place="late")
    desk.alert("concept_drift", ("model", "1"), severity="critical", since_row=2100, version="1")

    assert [len(incident.alerts) for incident in desk.incidents] == [2, 1]


LOSS = "model"
"""The place of all losses of a model: whatever version answers, they are told under one fingerprint."""


def retraining_after_a_bad_version() -> tuple[Desk, Alert]:
    """Version 2 was bad and is gone back from; version 1 is no better, and a retrain has been ordered."""
    desk = Desk(restarts=True)
    desk.steady()
    desk.model("2")
    desk.pass_rows(0.3, version="2")
    alert = desk.alert(
        "performance", ("version", "2"), severity="critical", value=0.3, since_row=1000, version="2", place=LOSS
    )
    back_on(desk, "1")
    desk.pass_rows(0.4, version="1")
    desk.pass_rows(0.4, version="1")
    assert desk.actions == ["rollback", "retrain"]
    return desk, alert


def release(desk: Desk, version: str) -> None:
    desk.ask("promote", version=version, force=True)
    desk.retrained(desk.last, version)
    desk.pass_rows(0.2, version=version)


def test_another_bad_version_is_gone_back_from_while_the_training_after_an_earlier_one_runs() -> None:
    desk, alert = retraining_after_a_bad_version()
    training = desk.last
    desk.resolve(alert)
    release(desk, "3")
    desk.alert(
        "performance",
        ("version", "3"),
        severity="critical",
        value=0.2,
        since_row=1750,
        version="3",
        place=LOSS,
        firing=2,
    )

    assert (desk.last.action, desk.last.arguments) == ("rollback", {"to_version": "1"})
    back_on(desk, "1")
    desk.retrained(training, "4")
    for _ in range(5):
        desk.pass_rows(0.9, version="4")
    bad = [incident for incident in desk.incidents if incident.diagnosis.name == "bad_version"]
    assert [(incident.diagnosis.version, incident.state) for incident in bad] == [("2", "resolved"), ("3", "resolved")]
    assert desk.told == []


def test_an_alert_that_names_another_version_once_something_was_done_is_trouble_of_its_own() -> None:
    desk, alert = retraining_after_a_bad_version()
    release(desk, "3")
    desk.again(alert, causes=(Cause(kind="version", what="3", score=1.0),))

    assert (desk.last.action, desk.last.arguments) == ("rollback", {"to_version": "1"})
    assert of_the_alert(desk, alert) == ["acting", "acting"]


def test_an_alert_that_names_another_version_before_anything_was_done_is_more_evidence() -> None:
    desk = Desk(limits=Limits(dry_run=True))
    desk.steady()
    desk.model("2")
    desk.model("3")
    alert = desk.alert("performance", ("version", "2"), severity="critical", since_row=1000, version="3", place=LOSS)
    desk.again(alert, causes=(Cause(kind="version", what="3", score=1.0),))

    assert desk.incident.diagnosis.version == "3"


def test_while_a_bad_version_answers_the_measuring_of_an_earlier_rollback_waits() -> None:
    desk = Desk(restarts=True)
    desk.steady()
    desk.model("2")
    desk.pass_rows(0.3, version="2")
    first = desk.alert("performance", ("version", "2"), severity="critical", since_row=1000, version="2", place=LOSS)
    back_on(desk, "1")
    desk.model("3")
    desk.pass_rows(0.2, version="3")
    desk.resolve(first)
    desk.alert("performance", ("version", "3"), severity="critical", since_row=1250, version="3", place=LOSS, firing=2)

    assert desk.actions == ["rollback", "rollback"]
    assert [bool(incident.paused_by) for incident in desk.incidents] == [True, False]


def test_a_bad_version_soon_after_another_is_an_incident_of_its_own() -> None:
    desk = Desk(restarts=True)
    desk.steady()
    desk.model("2")
    first = desk.alert("performance", ("version", "2"), severity="critical", since_row=1000, version="2", place=LOSS)
    back_on(desk, "1")
    desk.pass_rows(0.9)
    desk.pass_rows(0.9)
    desk.resolve(first)
    desk.model("3")
    desk.alert(
        "performance", ("version", "3"), severity="critical", since_row=desk.rows, version="3", place=LOSS, firing=2
    )

    assert [(incident.diagnosis.version, incident.reopened) for incident in desk.incidents] == [("2", 0), ("3", 0)]
