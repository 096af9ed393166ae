"""The rows of the healing matrix that are the remediator's to decide, each as a story."""

from __future__ import annotations

from tests.support.desk import Desk


def test_a_changed_concept_is_answered_by_training_on_what_came_since_and_is_verified() -> None:
    desk = Desk()
    desk.steady()
    desk.pass_rows(0.6)
    desk.alert("concept_drift", ("model", "1"), severity="critical", since_row=1000)

    assert desk.actions == ["retrain"]
    assert desk.last.arguments["since"] == {"0": 1000, "1": 7}
    assert desk.last.issued_by == "policy:retrain-on-concept-drift@default"
    expects = desk.last.expects
    assert expects is not None
    assert (expects.metric, expects.direction, expects.bound, expects.rows) == ("performance.accuracy", "up", 0.75, 500)

    desk.retrained(desk.last, "2")
    desk.pass_rows(0.88, version="2")
    assert desk.state == "verifying"
    desk.pass_rows(0.86, version="2")

    assert desk.state == "resolved"
    assert desk.actions == ["retrain"]
    verified = next(entry for entry in desk.audit if entry.kind == "verified")
    assert verified.body["rows"] == 500
    assert verified.body["model_version"] == "2"
    assert verified.refs[0].topic == "metrics"


def test_a_regression_is_verified_in_its_own_direction() -> None:
    desk = Desk()
    fields = {"a": {"type": "number"}, "y": {"type": "number"}}
    desk.define({"name": "rides", "kind": "regression", "schema": fields, "target": "y"}, pipeline="rides")
    desk.alert("concept_drift", ("model", ""), statistic="mae", value=30.0, baseline=10.0, pipeline="rides")
    expects = desk.last.expects
    assert expects is not None
    assert (expects.metric, expects.direction, expects.bound) == ("performance.mae", "down", 20.0)


def test_retraining_that_never_helps_stops_after_three_and_a_person_is_told_once() -> None:
    desk = Desk()
    desk.steady()
    desk.pass_rows(0.6)
    desk.alert("concept_drift", ("model", "1"), severity="critical", since_row=1000)
    for attempt in range(40):
        if desk.last.action == "retrain" and desk.state == "acting":
            desk.retrained(desk.last, str(attempt + 2))
        elif desk.last.action == "rollback" and desk.state == "undoing":
            desk.model("1", command=desk.last.id)
            desk.answer(desk.last, version="1")
        live = desk.remediator._state.knowledge["prices"].live or ""
        desk.pass_rows(0.55, version=live)
        desk.wait(60)

    assert desk.actions == ["retrain", "rollback"] * 3
    assert desk.state == "escalated"
    assert len(desk.told) == 1
    assert desk.kinds().count("undone") == 3
    assert desk.kinds().count("escalated") == 1


def test_a_retrain_that_helped_too_little_is_not_undone() -> None:
    desk = Desk()
    desk.steady()
    desk.alert("concept_drift", ("model", "1"), severity="critical", since_row=1000)
    desk.retrained(desk.last, "2")
    for _ in range(8):
        desk.pass_rows(0.7, version="2")
    assert desk.actions == ["retrain", "retrain"]
    assert any("version 2 did better than version 1" in entry.summary for entry in desk.audit)


def test_an_earlier_version_that_fits_again_is_rolled_back_to_without_training() -> None:
    desk = Desk()
    desk.steady(version="1")
    desk.model("2")
    desk.pass_rows(0.6, version="2", beside={"1": 0.9})
    desk.alert("performance", ("model", "2"), severity="critical", since_row=1000)
    assert desk.actions == ["rollback"]
    assert desk.last.arguments == {"to_version": "1"}


def test_inputs_that_move_harmlessly_are_watched_and_nothing_is_done() -> None:
    desk = Desk()
    desk.steady()
    desk.alert("data_drift", ("feature", "day"), severity="info", statistic="psi.day")
    desk.pass_rows(0.9)
    desk.wait(3600)
    assert desk.commands == []
    assert desk.incidents == []


def test_poisoned_labels_put_learning_on_hold_until_they_are_right() -> None:
    desk = Desk()
    desk.steady()
    bad = desk.alert("data_quality", ("label", "up"), ("source", "feed"), statistic="label.rate")
    assert desk.actions == ["hold"]
    desk.answer(desk.last)
    desk.alert("concept_drift", ("model", "1"), severity="critical", since_row=9000)
    assert desk.actions == ["hold"]
    desk.resolve(bad)
    assert desk.actions[:2] == ["hold", "release_hold"]


def test_a_dead_service_is_restarted_and_a_person_called_when_that_does_not_help() -> None:
    desk = Desk()
    desk.alert("service_down", ("service", "predictor"), pipeline="_system", severity="critical")
    assert desk.actions == ["restart_service"]
    assert desk.last.arguments == {"service": "predictor"}
    desk.answer(desk.last)
    desk.wait(400)
    assert desk.state == "escalated"
    assert len(desk.told) == 1
    assert desk.actions == ["restart_service"]


def test_a_service_whose_state_is_incomplete_is_not_restarted_nor_doubled_and_a_person_is_told() -> None:
    desk = Desk()
    desk.alert(
        "errors", ("service", "monitor"), pipeline="_system", severity="critical", statistic="monitor.incomplete_state"
    )
    desk.wait(60)

    assert desk.actions == []
    assert len(desk.told) == 1
    assert "no restart brings it back" in next(entry for entry in desk.audit if entry.kind == "triaged").summary


def test_load_is_met_with_one_more_replica_and_back_down_afterwards() -> None:
    desk = Desk()
    burst = desk.alert("lag", ("load", "predictor"), pipeline="_system", statistic="lag", value=9e4, baseline=None)
    assert desk.last.arguments == {"service": "predictor", "replicas": 2}
    desk.answer(desk.last)
    desk.resolve(burst)
    assert desk.last.arguments == {"service": "predictor", "replicas": 1}
    desk.answer(desk.last)
    assert desk.state == "resolved"
    assert desk.actions == ["scale_service", "scale_service"]


def test_a_fault_that_comes_and_goes_is_one_incident_within_its_budget_and_told_once() -> None:
    desk = Desk()
    desk.steady()
    for firing in range(1, 10):
        bad = desk.alert("data_quality", ("feature", "price"), ("source", "feed"), statistic="unit", firing=firing)
        if desk.state == "acting":
            desk.answer(desk.last)
        desk.pass_rows(0.9)
        desk.resolve(bad)
        if desk.state == "acting":
            desk.answer(desk.last)
        for _ in range(3):
            desk.pass_rows(0.9)
            desk.wait(5)
    assert len(desk.incidents) == 1
    assert desk.actions.count("quarantine_source") == 3
    assert desk.actions.count("release_source") == 3
    assert len(desk.told) == 1
    assert desk.kinds().count("escalated") >= 1


def test_a_healthy_stream_is_left_alone() -> None:
    desk = Desk()
    desk.steady(windows=200)
    desk.wait(3600)
    assert desk.commands == []
    assert set(desk.kinds()) == {"pipeline_defined", "model_published"}


def test_a_person_hears_of_a_healed_incident_once_it_stayed_quiet() -> None:
    desk = Desk()
    desk.steady()
    desk.alert("concept_drift", ("model", "1"), severity="critical", since_row=1000)
    desk.retrained(desk.last, "2")
    desk.pass_rows(0.9, version="2")
    desk.pass_rows(0.9, version="2")
    assert desk.told == []
    desk.wait(61)
    assert len(desk.told) == 1
    assert "healed itself" in desk.told[0]
    desk.wait(600)
    assert len(desk.told) == 1


def test_labels_that_come_late_reopen_nothing_but_the_question_whether_performance_came_back() -> None:
    desk = Desk()
    desk.steady()
    bad = desk.alert("data_quality", ("feature", "price"), ("source", "feed"), statistic="unit.price", since_row=1000)
    desk.answer(desk.last)
    desk.resolve(bad)
    desk.answer(desk.last)
    desk.wait(86_400 * 2)
    assert desk.state == "resolved", "no labels came"
    late = desk.alert("concept_drift", ("model", "1"), severity="critical", value=0.6, since_row=1000)
    assert desk.actions == ["quarantine_source", "release_source"]
    assert desk.state == "verifying"
    for _ in range(3):
        desk.pass_rows(0.9)
    desk.resolve(late)
    assert desk.state == "resolved"
    assert desk.actions == ["quarantine_source", "release_source"]


def test_an_incident_that_healed_and_came_back_still_calls_a_person_in_the_end() -> None:
    desk = Desk(policies=[
        {"name": "once", "when": {}, "ladder": [{"action": "hold", "metric": "alert.resolved"}],
         "cooldown": "1 rows", "budget": {"actions": 1, "per": "1d"}},
    ])  # fmt: skip
    desk.steady()
    first = desk.alert("anomaly", ("slice", "a"))
    desk.answer(desk.last)
    desk.resolve(first)
    desk.answer(desk.last)
    desk.wait(61)
    assert "healed itself" in desk.told[-1]
    desk.alert("anomaly", ("slice", "a"), firing=2)
    assert desk.state == "escalated"
    assert "needs a person" in desk.told[-1]


def test_a_concept_that_changes_again_under_the_new_version_is_new_trouble() -> None:
    desk = Desk()
    desk.steady()
    first = desk.alert("concept_drift", ("model", "1"), severity="critical", since_row=1000, version="1", place="model")
    desk.retrained(desk.last, "2")
    desk.resolve(first)
    desk.pass_rows(0.9, version="2", rows=500)
    desk.alert(
        "concept_drift", ("model", "2"), severity="critical", firing=2, since_row=1400, version="2", place="model"
    )
    assert [i.state for i in desk.incidents] == ["resolved", "acting"]
    assert desk.actions == ["retrain", "retrain"]


def test_a_loss_that_fires_again_while_its_retrain_is_measured_is_for_the_measure_to_decide() -> None:
    desk = Desk()
    desk.steady()
    first = desk.alert("concept_drift", ("model", "1"), severity="critical", since_row=1000)
    desk.retrained(desk.last, "2")
    desk.resolve(first)
    desk.alert("concept_drift", ("model", "1"), severity="critical", firing=2, since_row=1100)
    assert desk.actions == ["retrain"]
    assert desk.state == "verifying"


def test_an_unfair_slice_is_told_to_a_person_and_hides_no_loss_that_follows() -> None:
    desk = Desk()
    desk.steady()
    desk.alert("fairness", ("slice", "region = NSW"), baseline=None, since_row=1000)

    desk.alert("concept_drift", ("model", "1"), severity="critical", since_row=1000)

    assert len(desk.told) == 1
    assert "retrain" in desk.actions


def test_labels_that_are_late_are_only_watched() -> None:
    desk = Desk()
    desk.steady()

    desk.alert("lag", ("label", "labels"), severity="info", statistic="label_completeness")

    assert (desk.incidents, desk.commands) == ([], [])


def test_a_training_that_made_no_better_version_is_tried_again_500_rows_later_with_what_came_since() -> None:
    desk = Desk()
    desk.steady()
    desk.alert("concept_drift", ("model", "1"), severity="critical", since_row=1000)
    desk.answer(desk.last, "failed", detail="not better")
    desk.pass_rows(0.5)
    assert desk.actions == ["retrain"]
    desk.pass_rows(0.5)

    assert desk.actions == ["retrain", "retrain"]


def test_a_stream_that_drifts_all_the_time_may_be_trained_on_eight_times_in_10_000_rows_before_a_person_is_called() -> (
    None
):
    desk = Desk()
    desk.steady()
    for number in range(1, 9):
        desk.alert(
            "concept_drift", ("model", str(number)), severity="critical", since_row=desk.rows, version=str(number),
            firing=number, place="model", value=0.6,
        )  # fmt: skip
        desk.retrained(desk.last, str(number + 1))
        desk.pass_rows(0.9, version=str(number + 1))
        desk.pass_rows(0.9, version=str(number + 1))

    assert desk.actions == ["retrain"] * 8
    assert not any("needs a person" in message for message in desk.told)
