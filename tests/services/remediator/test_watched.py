"""A drift on which nothing is to be done is watched, also where it was graver once: no person, no lasting incident."""

from __future__ import annotations

from services.remediator.core.limits import Limits
from shared.messages import Alert, Cause
from tests.support.desk import Desk

FIELD = (Cause(kind="feature", what="price", score=1.0, detail="PSI 0.46, KS 0.24"),)
SEVERAL = (("feature", "price"), ("feature", "demand"))


def moved(desk: Desk, since_row: int | None = None) -> Alert:
    """Most fields are somewhere else altogether."""
    return desk.alert("data_drift", *SEVERAL, place="inputs", statistic="psi.price", baseline=None, since_row=since_row)


def waiting() -> tuple[Desk, Alert]:
    """A grave drift that has to wait for an action of another incident."""
    desk = Desk()
    desk.steady(windows=40)
    desk.alert("concept_drift", ("model", "1"), severity="critical", since_row=10_000)
    assert desk.actions == ["retrain"]
    drift = moved(desk, since_row=0)
    assert desk.incidents[-1].state == "triaged"
    return desk, drift


def test_a_grave_drift_that_is_only_watched_before_anything_was_done_ends_without_a_person() -> None:
    desk, drift = waiting()

    desk.again(drift, severity="info")

    assert desk.incidents[-1].state == "resolved"
    assert "escalated" not in desk.kinds()
    assert desk.told == []


def test_a_drift_down_to_one_field_becomes_no_bad_field() -> None:
    desk, drift = waiting()

    desk.again(drift, severity="info", causes=FIELD)

    assert desk.incidents[-1].diagnosis.name == "covariate_shift"
    assert "escalated" not in desk.kinds()


def test_a_drift_that_a_person_was_told_of_stays_theirs_when_one_field_is_left_of_it() -> None:
    desk = Desk()
    desk.steady()
    drift = moved(desk)
    assert len(desk.told) == 1

    desk.again(drift, severity="info", causes=FIELD)
    assert desk.state == "verifying"
    desk.resolve(drift)

    assert desk.state == "resolved"
    assert "escalated" not in desk.kinds()
    assert len(desk.told) == 1


def test_a_drift_still_watched_when_its_time_is_up_ends_without_being_handed_over() -> None:
    desk = Desk()
    desk.steady()
    drift = moved(desk)
    desk.again(drift, severity="info")

    desk.wait(2 * 86_400)

    assert desk.state == "resolved"
    assert "escalated" not in desk.kinds()


def test_a_watched_drift_that_is_grave_again_is_told_of_however_late() -> None:
    desk, drift = waiting()
    desk.again(drift, severity="info")
    closed = desk.incidents[-1]
    for _ in range(40):
        desk.pass_rows(0.9)

    desk.again(drift, severity="warning")

    assert [incident.id for incident in desk.incidents].count(closed.id) == 1
    assert desk.incidents[-1].open
    assert desk.incidents[-1].reopened == 1


def test_a_person_asked_for_approval_is_not_waited_for_when_the_drift_is_only_watched() -> None:
    policy = {"name": "asks", "when": {}, "ladder": [{"action": "retrain"}], "approval": True}
    desk = Desk(policies=[policy], limits=Limits())
    desk.steady()
    drift = moved(desk)
    assert desk.state == "awaiting_approval"

    desk.again(drift, severity="info")
    desk.wait()

    assert desk.state == "resolved"


def test_upkeep_goes_on_while_a_person_is_told_of_a_drift() -> None:
    desk = Desk(upkeep=True)
    desk.steady()
    moved(desk)

    for _ in range(12):
        desk.pass_rows(0.9)

    assert desk.actions == ["retrain"]


def test_where_no_policy_answers_the_text_says_what_of_the_alert_none_matches() -> None:
    only = {"name": "errors", "when": {"kinds": ["errors"]}, "ladder": [{"action": "hold"}]}
    desk = Desk(policies=[only])
    desk.steady()

    moved(desk)

    assert desk.state == "escalated"
    assert desk.incident.why == (
        "no policy answers data_drift alerts of severity warning without a known cause; the specification may name one"
    )
    assert len(desk.told) == 1


def test_an_escalation_after_a_person_was_told_says_so() -> None:
    desk = Desk()
    desk.steady()
    moved(desk)

    desk.wait(2 * 86_400)

    assert desk.state == "escalated"
    assert "a person has been told already" in [e.summary for e in desk.audit if e.kind == "escalated"][-1]
