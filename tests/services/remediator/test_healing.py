"""The rows of the healing matrix that are the remediator's to decide, each as a story."""

from __future__ import annotations

import msgspec

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
    assert any("better than 1 was" in entry.summary for entry in desk.audit)


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


def test_a_field_in_another_unit_is_quarantined_then_released_and_performance_is_seen_to_return() -> None:
    desk = Desk()
    desk.steady()
    bad = desk.alert("data_quality", ("feature", "price"), ("source", "feed"), statistic="unit.price", since_row=1000)
    assert desk.actions == ["quarantine_source"]
    assert desk.last.arguments["source"] == "feed"
    assert desk.last.arguments["fields"] == ["price"]
    assert desk.last.arguments["since"] == {"0": 1000, "1": 7}
    desk.answer(desk.last)

    desk.pass_rows(0.7)
    loss = desk.alert("concept_drift", ("model", "1"), severity="critical", value=0.7, since_row=1000)
    desk.pass_rows(0.7)
    assert desk.actions == ["quarantine_source"], "no retrain on bad data"

    desk.resolve(bad)
    assert desk.actions == ["quarantine_source", "release_source"]
    desk.answer(desk.last)
    desk.pass_rows(0.9)
    assert desk.state == "verifying"
    desk.pass_rows(0.9)
    desk.resolve(loss)
    assert desk.state == "resolved"
    assert desk.actions == ["quarantine_source", "release_source"]
    assert len([entry for entry in desk.audit if entry.kind == "verified"]) == 2


def test_a_derived_feature_is_quarantined_by_the_fields_it_is_made_of() -> None:
    desk = Desk()
    desk.alert("data_quality", ("feature", "ratio"), ("source", "feed"), statistic="range.ratio")
    assert desk.last.arguments["fields"] == ["demand", "price"]


def test_every_source_that_sends_the_field_wrong_is_quarantined_and_released() -> None:
    desk = Desk()
    desk.steady()
    bad = desk.alert("data_quality", ("feature", "price"), ("source", "a"), ("source", "b"), statistic="unit.price")
    assert [c.arguments["source"] for c in desk.commands] == ["a", "b"]
    for command in list(desk.commands):
        desk.answer(command)
    desk.again(bad, causes=(*bad.causes, bad.causes[-1].__class__(kind="source", what="c", score=0.3)))
    assert [c.arguments["source"] for c in desk.commands] == ["a", "b", "c"]
    desk.answer(desk.last)
    desk.resolve(bad)
    released = [c.arguments["source"] for c in desk.commands if c.action == "release_source"]
    assert sorted(map(str, released)) == ["a", "b", "c"]


def test_a_loss_noticed_before_its_bad_field_is_the_same_incident_and_its_retrain_is_taken_back() -> None:
    desk = Desk()
    desk.steady()
    desk.pass_rows(0.6)
    desk.alert("concept_drift", ("model", "1"), severity="critical", since_row=1000)
    assert desk.actions == ["retrain"]
    retrain = desk.last
    desk.alert("data_quality", ("feature", "price"), ("source", "feed"), statistic="unit.price", since_row=1000)
    assert desk.actions == ["retrain", "quarantine_source"]
    assert desk.incident.diagnosis.name == "bad_field"
    desk.retrained(retrain, "2")
    assert desk.actions == ["retrain", "quarantine_source", "rollback"]
    assert desk.last.arguments == {"to_version": "1"}


def test_a_retrain_on_rows_from_before_the_bad_field_is_kept() -> None:
    desk = Desk()
    desk.steady()
    desk.pass_rows(0.6)
    desk.alert("concept_drift", ("model", "1"), severity="critical", since_row=1000)
    desk.retrained(desk.last, "2")

    desk.alert("data_quality", ("feature", "price"), ("source", "feed"), statistic="unit.price", since_row=1251)

    assert desk.actions == ["retrain", "quarantine_source"]


def test_a_field_that_goes_bad_after_a_concept_changed_is_trouble_of_its_own() -> None:
    desk = Desk()
    desk.steady()
    desk.pass_rows(0.6)
    desk.alert("concept_drift", ("model", "1"), severity="critical", since_row=1000)

    desk.alert("data_quality", ("feature", "price"), ("source", "feed"), statistic="unit.price", since_row=1900)

    assert desk.actions == ["retrain", "quarantine_source"]
    assert sorted(i.diagnosis.name for i in desk.incidents) == ["bad_field", "concept_drift"]


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


def test_a_silent_source_is_told_of_and_ends_by_itself() -> None:
    desk = Desk()
    silent = desk.alert("data_quality", ("source", "feed"), statistic="silent_rows")
    assert desk.actions == []
    assert len(desk.told) == 1
    desk.resolve(silent)
    desk.wait(3600)
    assert desk.state == "resolved"
    assert len(desk.told) == 1


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


def test_an_alert_on_the_version_a_retrain_made_is_the_end_of_that_version_and_no_second_incident() -> None:
    desk = Desk()
    desk.steady()
    desk.alert("concept_drift", ("model", "1"), severity="critical", since_row=1000)
    desk.retrained(desk.last, "2")
    desk.now = desk.now.replace(minute=5)
    desk.alert("performance", ("version", "2"), severity="critical", since_row=1200)
    assert desk.actions == ["retrain", "rollback"]
    assert desk.state == "undoing"


def test_a_canary_that_does_not_help_loses_its_traffic() -> None:
    desk = Desk()
    desk.steady()
    desk.alert("concept_drift", ("model", "1"), severity="critical", since_row=1000)
    desk.model("2", stage="canary", command=desk.last.id)
    desk.answer(desk.last, version="2")
    for _ in range(4):
        desk.pass_rows(0.6, version="1", rows=500, beside={"2": 0.5})
    assert desk.actions == ["retrain", "shift_traffic"]
    assert desk.last.arguments == {"version": "2", "weight": 0.0}


def test_a_version_that_the_trainer_withdraws_on_trial_was_no_help() -> None:
    desk = Desk()
    desk.steady()
    desk.alert("concept_drift", ("model", "1"), severity="critical", since_row=1000)
    desk.model("2", stage="canary", command=desk.last.id)
    desk.answer(desk.last, version="2")
    desk.model("2", stage="retired")
    assert desk.state == "triaged"
    assert any("version 2 was withdrawn" in entry.summary for entry in desk.audit)


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
    desk.pass_rows(0.9)
    desk.pass_rows(0.9)
    desk.resolve(late)
    assert desk.state == "resolved"
    assert desk.actions == ["quarantine_source", "release_source"]


def test_many_fields_that_move_together_are_told_of_and_none_is_quarantined() -> None:
    desk = Desk()
    desk.steady()
    desk.alert("data_drift", ("feature", "day"), ("feature", "price"), statistic="psi.day")
    assert desk.actions == []
    assert len(desk.told) == 1


def test_answers_that_differ_after_a_retrain_were_meant_to_and_alarm_nobody() -> None:
    desk = Desk()
    desk.steady()
    desk.alert("concept_drift", ("model", "1"), severity="critical", since_row=1000)
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
    assert [i.state for i in desk.incidents] == ["resolved", "triaged"]
    desk.pass_rows(0.6, version="2", rows=500)
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


def test_a_field_that_is_wrong_again_right_after_its_release_is_quarantined_again() -> None:
    desk = Desk()
    desk.steady()
    bad = desk.alert("data_quality", ("feature", "price"), ("source", "feed"))
    desk.answer(desk.last)
    desk.resolve(bad)
    release = desk.last
    desk.alert("data_quality", ("feature", "price"), ("source", "feed"), firing=2)
    desk.answer(release)
    desk.pass_rows(0.9)
    assert desk.actions == ["quarantine_source", "release_source", "quarantine_source"]
    assert desk.incident.reopened == 1


def test_a_consequence_that_comes_alone_after_its_cause_is_over_is_an_incident_of_its_own() -> None:
    desk = Desk()
    desk.steady()
    bad = desk.alert("data_quality", ("feature", "price"), ("source", "feed"), since_row=1000)
    desk.answer(desk.last)
    loss = desk.alert("concept_drift", ("model", "1"), severity="critical", since_row=1000)
    desk.resolve(bad)
    desk.answer(desk.last)
    desk.pass_rows(0.9, rows=500)
    desk.resolve(loss)
    assert desk.state == "resolved"
    desk.rows += 200
    desk.alert("concept_drift", ("model", "1"), severity="critical", firing=2, since_row=desk.rows)
    assert [i.diagnosis.name for i in desk.incidents] == ["bad_field", "concept_drift"]
    assert desk.actions == ["quarantine_source", "release_source", "retrain"]


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


def test_a_loss_beside_rows_that_were_only_refused_is_trouble_of_its_own() -> None:
    desk = Desk()
    desk.steady()
    refused = desk.alert(
        "data_quality", ("feature", "price"), ("source", "feed"), statistic="dead_letters.price", since_row=1000
    )
    desk.answer(desk.last)

    loss = desk.alert("concept_drift", ("model", "1"), severity="critical", since_row=1100)
    desk.resolve(refused)
    desk.answer(desk.last)
    desk.pass_rows(0.6, rows=500)

    assert [i.diagnosis.name for i in desk.incidents] == ["refused_rows", "concept_drift"]
    assert loss.fingerprint not in desk.incidents[0].alerts
    assert desk.actions == ["quarantine_source", "release_source", "retrain"]


def test_refused_rows_that_turn_out_to_be_a_bad_field_explain_a_loss_after_all() -> None:
    desk = Desk()
    desk.steady()
    refused = desk.alert(
        "data_quality", ("feature", "price"), ("source", "feed"), statistic="dead_letters.price", since_row=1000
    )
    evidence = msgspec.structs.replace(refused.evidence, statistic="unit.price")
    desk.again(refused, evidence=evidence)

    desk.alert("concept_drift", ("model", "1"), severity="critical", since_row=1000)

    assert desk.incident.diagnosis.name == "bad_field"
    assert desk.actions == ["quarantine_source"]


def test_an_unfair_slice_is_told_to_a_person_and_hides_no_loss_that_follows() -> None:
    desk = Desk()
    desk.steady()
    desk.alert("fairness", ("slice", "region = NSW"), baseline=None, since_row=1000)

    desk.alert("concept_drift", ("model", "1"), severity="critical", since_row=1000)

    assert len(desk.told) == 1
    assert "retrain" in desk.actions


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


def test_labels_that_are_late_are_only_watched() -> None:
    desk = Desk()
    desk.steady()

    desk.alert("lag", ("label", "labels"), severity="info", statistic="label_completeness")

    assert (desk.incidents, desk.commands) == ([], [])
