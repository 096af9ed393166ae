"""A training whose alert ended by itself while it ran: its version keeps what was, or goes; it healed nothing."""

from __future__ import annotations

from tests.support.desk import Desk

DAY = 86_400.0


def late() -> Desk:
    """A retrain was ordered for a loss that has passed by itself, and its version comes now."""
    desk = Desk(restarts=True)
    desk.steady()
    desk.pass_rows(0.5)
    alert = desk.alert("concept_drift", ("model", "1"), severity="critical", value=0.5, since_row=1000)
    for _ in range(4):
        desk.pass_rows(0.9)
    desk.resolve(alert)
    assert desk.state == "acting"
    desk.retrained(desk.last, "2")
    return desk


def test_a_version_that_comes_after_its_alert_and_is_worse_than_the_one_before_goes() -> None:
    desk = late()
    desk.pass_rows(0.75, version="2")
    desk.pass_rows(0.75, version="2")

    assert desk.last.arguments == {"to_version": "1"}, "0.75 is far more than the 0.5 of the alert, which is over"
    desk.model("1", command=desk.last.id)
    desk.answer(desk.last, version="1")
    assert desk.actions == ["retrain", "rollback"]
    assert desk.state == "resolved"


def test_a_version_that_comes_after_its_alert_and_keeps_what_was_stays_and_healed_nothing() -> None:
    desk = late()
    desk.pass_rows(0.9, version="2")
    desk.pass_rows(0.91, version="2")
    desk.wait(3600)

    assert (desk.state, desk.actions) == ("resolved", ["retrain"])
    end = desk.audit[[entry.kind for entry in desk.audit].index("incident_resolved")]
    assert end.body["ending"] == "passed"
    assert "the alert had ended before the retraining (version 2) was done" in end.summary
    (message,) = desk.told
    assert "passed by itself" in message


def test_a_version_that_comes_after_its_alert_and_cannot_be_measured_calls_nobody() -> None:
    desk = late()
    desk.wait(31 * DAY)
    desk.wait(DAY)

    assert (desk.state, desk.actions) == ("resolved", ["retrain"])
    assert not any("needs a person" in message for message in desk.told)


def test_where_the_alert_fires_again_before_the_version_comes_it_is_to_win_back_the_loss() -> None:
    desk = Desk(restarts=True)
    desk.steady()
    alert = desk.alert("concept_drift", ("model", "1"), severity="critical", value=0.5, since_row=1000)
    desk.resolve(alert)
    desk.again(alert, id="alert-2")
    desk.retrained(desk.last, "2")
    desk.pass_rows(0.75, version="2")
    desk.pass_rows(0.75, version="2")

    assert desk.state == "resolved"
    assert "verified" in desk.kinds()


def test_where_another_alert_of_the_same_trouble_still_fires_the_version_is_to_win_back_the_loss() -> None:
    desk = Desk(restarts=True)
    desk.steady()
    first = desk.alert("concept_drift", ("model", "1"), severity="critical", value=0.5, since_row=1000)
    desk.alert("performance", ("slice", "night"), severity="critical", value=0.5, since_row=1000)
    desk.resolve(first)
    desk.retrained(desk.last, "2")
    desk.pass_rows(0.75, version="2")
    desk.pass_rows(0.75, version="2")

    assert "verified" in desk.kinds()
