"""Rows of the healing matrix about versions: one that answers worse, later or otherwise is taken back."""

from __future__ import annotations

from typing import Any

from tests.support.desk import Desk


def drifting() -> Desk:
    """Version 1 answers, and the concept has changed: a retrain has been ordered."""
    desk = Desk()
    desk.steady()
    desk.alert("concept_drift", ("model", "1"), severity="critical", since_row=1000)
    return desk


def test_a_bad_release_is_rolled_back_to_the_version_before_it() -> None:
    desk = Desk()
    desk.steady()
    desk.ask("promote", version="2", force=True)
    desk.retrained(desk.last, "2")
    desk.pass_rows(0.5, version="2")
    desk.alert("performance", ("version", "2"), severity="critical", value=0.5, since_row=1000)
    assert desk.actions == ["promote", "rollback"]
    assert desk.last.arguments == {"to_version": "1"}
    desk.model("1", command=desk.last.id)
    desk.answer(desk.last, version="1")
    desk.pass_rows(0.9, version="1")
    desk.pass_rows(0.9, version="1")
    assert next(i for i in desk.incidents if i.request is None).state == "resolved"
    assert desk.remediator._state.knowledge["prices"].condemned == ("2",)


def test_a_rollback_that_made_it_worse_is_taken_back_and_the_model_is_retrained() -> None:
    desk = Desk()
    desk.steady()
    desk.model("2")
    desk.alert("performance", ("version", "2"), severity="critical", value=0.7, since_row=1000)
    desk.model("1", command=desk.last.id)
    desk.answer(desk.last, version="1")
    desk.pass_rows(0.5, version="1")
    desk.pass_rows(0.5, version="1")
    assert desk.actions == ["rollback", "promote"]
    assert desk.last.arguments == {"version": "2", "force": True}
    desk.model("2", command=desk.last.id)
    desk.answer(desk.last, version="2")
    assert desk.actions == ["rollback", "promote", "retrain"]
    assert desk.remediator._state.knowledge["prices"].condemned == ()


def test_what_did_as_badly_itself_is_not_gone_back_to() -> None:
    desk = Desk()
    desk.steady()
    for version, accuracy in (("2", 0.9), ("3", 0.5), ("4", 0.5)):
        desk.model(version)
        desk.pass_rows(accuracy, version=version)
    desk.alert("performance", ("version", "4"), severity="critical", value=0.5, since_row=desk.rows - 250)

    assert desk.actions == ["rollback"]
    assert desk.last.arguments == {"to_version": "2"}


def test_a_slow_release_is_rolled_back_and_verified_by_its_alert_ending() -> None:
    desk = Desk()
    desk.steady()
    desk.model("2")
    slow = desk.alert("latency", ("version", "2"), statistic="p99_ms", value=900.0, baseline=20.0)
    assert desk.actions == ["rollback"]
    assert desk.last.expects is not None
    assert desk.last.expects.metric == "alert.resolved"
    desk.model("1", command=desk.last.id)
    desk.answer(desk.last, version="1")
    desk.resolve(slow)
    assert desk.state == "resolved"


def test_an_alert_on_the_version_a_retrain_made_is_the_end_of_that_version_and_no_second_incident() -> None:
    desk = drifting()
    desk.retrained(desk.last, "2")
    desk.now = desk.now.replace(minute=5)
    desk.alert("performance", ("version", "2"), severity="critical", since_row=1200)
    assert desk.actions == ["retrain", "rollback"]
    assert desk.state == "undoing"


def test_a_canary_that_does_not_help_loses_its_traffic() -> None:
    desk = drifting()
    desk.model("2", stage="canary", command=desk.last.id)
    desk.answer(desk.last, version="2")
    for _ in range(4):
        desk.pass_rows(0.6, version="1", rows=500, beside={"2": 0.5})
    assert desk.actions == ["retrain", "shift_traffic"]
    assert desk.last.arguments == {"version": "2", "weight": 0.0}


def test_a_version_that_the_trainer_withdraws_on_trial_was_no_help() -> None:
    desk = drifting()
    desk.model("2", stage="canary", command=desk.last.id)
    desk.answer(desk.last, version="2")
    desk.model("2", stage="retired")
    assert desk.state == "triaged"
    assert any("version 2 was withdrawn" in entry.summary for entry in desk.audit)


def test_answers_that_differ_after_a_retrain_were_meant_to_and_alarm_nobody() -> None:
    desk = drifting()
    desk.retrained(desk.last, "2")
    desk.now = desk.now.replace(minute=5)
    desk.alert("prediction_drift", ("version", "2"), statistic="psi.prediction", since_row=1000)
    assert desk.actions == ["retrain"]
    assert desk.state == "verifying"
    desk.pass_rows(0.9, version="2")
    desk.pass_rows(0.9, version="2")
    assert desk.state == "resolved"


def test_answers_that_differ_after_a_promotion_by_hand_are_rolled_back_without_any_label() -> None:
    desk = Desk()
    desk.steady()
    desk.ask("promote", version="2", force=True)
    desk.retrained(desk.last, "2")
    drift = desk.alert("prediction_drift", ("version", "2"), statistic="psi.prediction", baseline=None)
    assert desk.actions == ["promote", "rollback"]
    assert desk.last.expects is not None
    desk.model("1", command=desk.last.id)
    desk.answer(desk.last, version="1")
    desk.resolve(drift)


def test_a_version_the_predictor_will_not_load_has_not_helped_and_the_next_rung_is_taken() -> None:
    desk = Desk()
    desk.steady()
    desk.model("2")
    desk.pass_rows(0.4, version="2")
    desk.alert("performance", ("version", "2"), severity="critical", version="2")
    rollback = desk.last
    assert rollback.action == "rollback"
    desk.model("1", command=rollback.id)
    desk.answer(rollback, version="1")
    assert desk.state == "verifying"

    desk.answer(rollback, "failed", version="1", detail="version 1 refused (hash)")

    assert desk.actions == ["rollback", "retrain"]
    assert any("version 1 refused (hash)" in entry.summary for entry in desk.audit if entry.kind == "not_verified")


def test_a_slice_that_a_version_answers_worse_is_rolled_back() -> None:
    desk = Desk()
    desk.steady()
    desk.model("2")
    desk.pass_rows(0.9, version="2")

    desk.alert("fairness", ("version", "2"), ("slice", "region = NSW"), baseline=None, version="2")

    assert desk.last.action == "rollback"
    assert desk.last.expects is not None
    assert desk.last.expects.metric == "alert.resolved"


def test_late_answers_of_a_version_are_rolled_back_and_under_load_the_predictor_grows() -> None:
    slow, loaded = Desk(), Desk()
    for desk in (slow, loaded):
        desk.steady()
        desk.model("2")

    slow.alert("latency", ("version", "2"), statistic="latency_p99_ms", baseline=None, version="2")
    loaded.alert("latency", ("load", "predictor"), statistic="latency_p99_ms", baseline=None, version="2")

    assert (slow.last.action, slow.last.arguments["to_version"]) == ("rollback", "1")
    assert (loaded.last.action, loaded.last.arguments["service"]) == ("scale_service", "predictor")


LEARN: dict[str, Any] = {
    "name": "learn",
    "when": {"kinds": ["concept_drift"]},
    "ladder": [{"action": "retrain", "verify_rows": 500, "verify_within": "30d", "deadline": "15m"}] * 3,
}


def gone_back_to_version_1(*, value: float = 0.6, baseline: float = 0.9, **limits: Any) -> Desk:
    """What was trained for a changed concept is named as the cause of worse trouble, and version 1 answers again."""
    desk = Desk(policies=[{**LEARN, "cooldown": "100 rows", **limits}], restarts=True)
    desk.steady()
    desk.pass_rows(0.6)
    drift: dict[str, Any] = {"value": value, "baseline": baseline, "since_row": 1000}
    desk.alert("concept_drift", ("model", "1"), severity="critical", version="1", **drift)
    desk.retrained(desk.last, "2")
    desk.pass_rows(0.3, version="2")
    desk.alert("performance", ("version", "2"), severity="critical", value=0.3, since_row=1250, version="2")
    desk.model("1", command=desk.last.id)
    desk.answer(desk.last, version="1")
    assert desk.actions == ["retrain", "rollback"], "what version 1 is worth by now is not known yet"
    return desk


def test_a_version_that_answers_again_and_is_good_is_not_trained_anew() -> None:
    desk = gone_back_to_version_1()
    desk.resolve(desk.incident.alerts["performance-version:2"])
    desk.pass_rows(0.9, version="1")
    assert desk.state == "triaged"
    desk.pass_rows(0.88, version="1")
    assert (desk.state, desk.incident.why) == ("triaged", "version 1 answers again, and is well; its alert still fires")
    desk.resolve(desk.incident.alerts["concept_drift-model:1"])

    assert (desk.actions, desk.state) == (["retrain", "rollback"], "resolved")


def test_an_alert_about_a_version_that_is_gone_keeps_no_trouble_open() -> None:
    desk = gone_back_to_version_1()
    desk.again(desk.incident.alerts["concept_drift-model:1"], model_version="2")
    desk.pass_rows(0.9, version="1")
    desk.pass_rows(0.88, version="1")

    assert (desk.actions, desk.state) == (["retrain", "rollback"], "resolved")
    assert "version 1 answers again: accuracy is 0.89 over 500 of its rows" in desk.incident.why


def test_a_version_that_answers_again_is_held_to_what_was_measured_before_the_trouble() -> None:
    desk = gone_back_to_version_1(value=0.5, baseline=0.55)
    desk.again(desk.incident.alerts["concept_drift-model:1"], model_version="2")
    desk.pass_rows(0.6, version="1")
    desk.pass_rows(0.6, version="1")

    assert desk.actions == ["retrain", "rollback", "retrain"], "0.6 is more than 0.525, but it was 0.9"


def test_a_version_that_answers_again_and_is_bad_too_is_trained_anew_once_that_is_measured() -> None:
    desk = gone_back_to_version_1()
    desk.pass_rows(0.6, version="1")
    assert desk.actions == ["retrain", "rollback"]
    desk.pass_rows(0.6, version="1")

    assert desk.actions == ["retrain", "rollback", "retrain"]


def test_what_a_version_that_came_back_is_worth_shows_in_its_newest_rows() -> None:
    desk = gone_back_to_version_1()
    desk.pass_rows(0.98, version="1")
    desk.pass_rows(0.98, version="1")
    desk.resolve(desk.incident.alerts["performance-version:2"])
    assert desk.state == "triaged"
    for _ in range(4):
        desk.pass_rows(0.65, version="1")

    assert desk.actions == ["retrain", "rollback", "retrain"], "the alert fires on, and 0.76 over all rows is the past"


def test_no_person_is_called_for_a_spent_budget_before_the_version_that_answers_again_is_measured() -> None:
    desk = gone_back_to_version_1(budget={"actions": 1, "per": "10000 rows"})
    desk.pass_rows(0.6, version="1")
    assert (desk.state, desk.told) == ("triaged", [])
    desk.pass_rows(0.6, version="1")

    assert (desk.state, len(desk.told)) == ("escalated", 1)


def test_a_version_no_longer_live_that_is_found_bad_late_asks_for_no_training_before_the_live_one_is_measured() -> None:
    desk = Desk(restarts=True)
    desk.steady()
    desk.model("2")
    desk.pass_rows(0.3, version="2")
    desk.ask("rollback", to_version="1")
    desk.model("1", command=desk.last.id)
    desk.answer(desk.last, version="1")
    desk.alert("performance", ("version", "2"), severity="critical", value=0.3, since_row=1000, version="2")
    assert desk.actions == ["rollback"]
    desk.pass_rows(0.9, version="1")
    desk.pass_rows(0.9, version="1")

    assert desk.actions == ["rollback"]
    assert all(incident.state == "resolved" for incident in desk.incidents)
    assert desk.told == []
