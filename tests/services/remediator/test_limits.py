"""Budget, cool-down, blast radius, dry run, approval, deadlines and whose turn it is."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from services.remediator.core.limits import Limits
from tests.support.desk import SPECIFICATION, Desk

RETRAIN: dict[str, Any] = {
    "name": "learn",
    "when": {"kinds": ["concept_drift"]},
    "ladder": [{"action": "retrain", "verify_rows": 500, "verify_within": "1h", "deadline": "10m"}],
    "cooldown": "1000 rows",
    "budget": {"actions": 2, "per": "1d"},
}


def with_policy(**changes: Any) -> Desk:
    desk = Desk(policies=[{**RETRAIN, **changes}])
    desk.steady()
    return desk


def drift(desk: Desk, firing: int = 1, place: str = "m") -> Any:
    return desk.alert("concept_drift", ("model", place), severity="critical", firing=firing, since_row=desk.rows)


def test_the_same_action_waits_for_its_cool_down_and_says_so_once() -> None:
    desk = with_policy()
    first = drift(desk)
    desk.answer(desk.last, "failed", detail="no better model")
    assert desk.state == "escalated"
    desk.resolve(first)
    desk.pass_rows(0.9)
    drift(desk, firing=2)
    desk.wait()
    desk.pass_rows(0.6)
    assert desk.actions == ["retrain"]
    assert [e.summary for e in desk.audit if "cooling down" in e.summary] == [
        "not now: cooling down until row 2,000, 1,000 rows after the last retrain"
    ]
    for _ in range(3):
        desk.pass_rows(0.6)
    assert desk.actions == ["retrain", "retrain"]


def test_trouble_that_passes_during_the_cool_down_needs_no_action() -> None:
    desk = with_policy()
    first = drift(desk)
    desk.answer(desk.last, "failed")
    desk.resolve(first)
    second = drift(desk, firing=2)
    desk.resolve(second)
    assert desk.state == "resolved"
    assert desk.actions == ["retrain"]


def test_a_spent_budget_calls_a_person_instead_of_acting() -> None:
    desk = with_policy(budget={"actions": 1, "per": "1d"}, cooldown="1 rows")
    first = drift(desk)
    desk.answer(desk.last, "failed")
    desk.resolve(first)
    desk.rows += 5000
    desk.pass_rows(0.9)
    drift(desk, firing=2)
    assert desk.actions == ["retrain"]
    assert desk.incidents[-1].why == "the budget is spent: policy learn took 1 action within 1 day, and may take 1"


def test_a_budget_in_time_is_given_back_when_its_time_has_passed() -> None:
    desk = with_policy(budget={"actions": 1, "per": "1d"}, cooldown="1 rows")
    first = drift(desk)
    desk.answer(desk.last, "failed")
    desk.resolve(first)
    desk.wait(90_000)
    desk.rows += 5000
    desk.pass_rows(0.9)
    drift(desk, firing=2)
    assert desk.actions == ["retrain", "retrain"]


def test_a_dry_run_says_what_it_would_do_and_does_nothing() -> None:
    desk = with_policy(dry_run=True)
    alert = drift(desk)
    desk.wait()
    desk.wait()
    assert desk.commands == []
    assert [e.body["action"] for e in desk.audit if e.kind == "suppressed"] == ["retrain"]
    desk.resolve(alert)
    assert desk.state == "resolved"


def test_everything_can_be_put_in_dry_run() -> None:
    desk = Desk(limits=Limits(dry_run=True))
    desk.alert("data_quality", ("feature", "price"), ("source", "feed"))
    desk.ask("hold")
    assert desk.commands == []
    assert "request_refused" in desk.kinds()


def test_an_approved_action_is_taken_and_names_who_approved() -> None:
    desk = with_policy(approval=True)
    drift(desk)
    assert desk.actions == []
    assert desk.state == "awaiting_approval"
    assert len(desk.told) == 1
    desk.ask("approve", by="ann", incident=desk.incident.id)
    assert desk.actions == ["retrain"]
    issued = [e for e in desk.audit if e.kind == "command_issued"][-1]
    assert issued.body["approved_by"] == "ann"


def test_of_two_people_who_approve_at_once_one_wins_and_one_is_refused() -> None:
    desk = with_policy(approval=True)
    drift(desk)
    desk.ask("approve", by="ann", number=1, incident=desk.incident.id)
    desk.ask("approve", by="bob", number=2, incident=desk.incident.id)
    assert desk.actions == ["retrain"]
    refused = [e for e in desk.audit if e.kind == "request_refused"]
    assert len(refused) == 1
    assert "approved by ann" in refused[0].summary
    assert refused[0].body["issued_by"] == "bob"


def test_a_rejected_action_is_not_taken_and_nobody_is_called_again() -> None:
    desk = with_policy(approval=True)
    alert = drift(desk)
    desk.ask("reject", incident=desk.incident.id)
    desk.wait(3600)
    assert desk.actions == []
    assert desk.state == "escalated"
    assert len(desk.told) == 1
    desk.resolve(alert)
    assert desk.state == "resolved"


def test_an_approval_that_nobody_gives_expires_and_a_person_hears_of_it() -> None:
    desk = with_policy(approval=True)
    alert = drift(desk)
    desk.wait(4 * 3600 + 1)
    assert desk.state == "expired"
    assert desk.actions == []
    assert "Nobody approved learn within 4 h." in desk.told[-1]
    desk.again(alert)
    assert len(desk.incidents) == 1, "the same firing is not asked about again"


def test_bad_data_is_acted_on_while_an_approval_is_pending() -> None:
    policies = [
        {**RETRAIN, "approval": True},
        {"name": "q", "when": {"kinds": ["data_quality"]}, "ladder": [{"action": "quarantine_source"}]},
    ]
    desk = Desk(policies=policies)
    desk.steady()
    drift(desk)
    desk.alert("data_quality", ("feature", "price"), ("source", "feed"), since_row=desk.rows)
    assert desk.actions == ["quarantine_source"]


def test_an_order_that_nobody_answers_has_failed_at_its_deadline() -> None:
    desk = with_policy()
    drift(desk)
    desk.wait(599)
    assert desk.state == "acting"
    desk.wait(2)
    assert desk.state == "escalated"
    assert any("no answer by its deadline" in entry.summary for entry in desk.audit)


def test_a_retrain_that_ends_after_its_deadline_is_taken_back() -> None:
    desk = with_policy()
    drift(desk)
    retrain = desk.last
    desk.wait(601)
    desk.retrained(retrain, "2")
    assert desk.actions == ["retrain", "rollback"]


def test_without_labels_the_effect_is_unknown_and_a_person_decides() -> None:
    desk = with_policy()
    drift(desk)
    desk.retrained(desk.last, "2")
    desk.pass_rows(None, version="2")
    desk.wait(3601)
    assert desk.state == "escalated"
    assert desk.actions == ["retrain"], "what cannot be measured is not undone blindly"
    assert [e.body["answer"] for e in desk.audit if e.kind == "unknown"] == ["unknown"]
    assert "not_verified" not in desk.kinds()


@pytest.mark.parametrize(
    ("action", "arguments", "why"),
    [
        ("quarantine_source", {"source": "feed", "fields": []}, "an empty target means none"),
        ("quarantine_source", {"source": "", "fields": ["price"]}, "an empty target means none"),
        ("quarantine_source", {"source": "feed", "fields": ["*"]}, "has no field *"),
        ("quarantine_source", {"source": "feed", "fields": ["day", "demand", "price"]}, "3 of 4 fields"),
        ("restart_service", {"service": ""}, "an unknown target means none"),
        ("scale_service", {"service": "predictor", "replicas": 99}, "from 1 to 4"),
        ("rollback", {}, "no earlier version"),
        ("promote", {}, "names no version"),
        ("shift_traffic", {"version": "2", "weight": 3}, "not from 0 to 1"),
        ("dance", {}, "no action 'dance'"),
    ],
)
def test_what_reaches_too_far_or_nowhere_is_refused_with_the_reason(
    action: str, arguments: dict[str, Any], why: str
) -> None:
    desk = Desk()
    desk.ask(action, **arguments)
    assert desk.commands == []
    refused = desk.audit[-1]
    assert refused.kind == "request_refused"
    assert why in refused.summary


def test_a_policy_without_a_target_passes_over_its_rung_and_calls_a_person() -> None:
    desk = Desk()
    desk.alert("data_quality", ("feature", "no_such_field"), ("source", "feed"))
    assert desk.actions == []
    assert desk.state == "escalated"


def test_a_rollback_with_no_version_to_go_back_to_is_no_success() -> None:
    desk = Desk()
    desk.steady()
    desk.alert("latency", ("version", "1"), statistic="p99_ms")
    assert desk.actions == []
    assert desk.state == "escalated"
    assert "no earlier version" in desk.incident.why


def test_a_second_trouble_waits_until_the_first_is_dealt_with() -> None:
    desk = with_policy(cooldown="1 rows")
    first = drift(desk, place="m")
    desk.alert("concept_drift", ("slice", "night"), severity="critical", since_row=desk.rows + 90_000)
    assert len(desk.incidents) == 1, "drift of a slice follows from drift of the model"
    desk.retrained(desk.last, "2")
    desk.resolve(first)
    assert desk.state == "verifying"


def test_bad_data_pauses_a_pending_retrain_and_its_measuring_begins_anew_afterwards() -> None:
    desk = Desk()
    desk.steady()
    desk.alert("concept_drift", ("model", "1"), severity="critical", since_row=1000)
    desk.retrained(desk.last, "2")
    desk.pass_rows(0.88, version="2")
    desk.rows += 9000
    bad = desk.alert("data_quality", ("feature", "price"), ("source", "feed"), since_row=desk.rows)
    assert desk.actions == ["retrain", "quarantine_source"]
    drifted, quarantined = desk.incidents
    desk.answer(desk.last)
    desk.pass_rows(0.5, version="2")
    desk.pass_rows(0.5, version="2")
    assert desk.incidents[0].state == "verifying", "what is measured on bad data does not count"
    desk.resolve(bad)
    desk.answer(desk.last)
    for _ in range(5):
        desk.pass_rows(0.88, version="2")
    assert [i.state for i in desk.incidents] == ["resolved", "resolved"]
    assert desk.actions == ["retrain", "quarantine_source", "release_source"]
    assert drifted.id != quarantined.id


def test_no_policy_for_a_trouble_means_that_a_person_is_called() -> None:
    desk = with_policy()
    desk.alert("cost")
    assert desk.state == "escalated"
    assert "no policy answers" in desk.incident.why


def test_a_policy_with_an_unknown_action_or_metric_is_refused_and_never_passes_silently() -> None:
    bad = {**RETRAIN, "ladder": [{"action": "pray", "metric": "vibes"}]}
    desk = Desk(policies=[bad])
    assert "no action 'pray'" in desk.audit[0].summary
    assert "'vibes' can never be measured" in desk.audit[0].summary
    drift(desk)
    assert desk.actions == []
    assert desk.state == "escalated"


def test_people_have_a_budget_too() -> None:
    desk = Desk(limits=Limits(person_actions_per_hour=2))
    for number, action in enumerate(("hold", "release_hold", "hold")):
        desk.ask(action, number=number)
        if number < 2:
            desk.answer(desk.last)
    assert desk.actions == ["hold", "release_hold"]
    assert "which is the limit" in desk.audit[-1].summary
    desk.now += timedelta(hours=2)
    desk.ask("hold", number=9)
    assert desk.actions == ["hold", "release_hold", "hold"]


def test_an_escalated_incident_that_nobody_ends_expires() -> None:
    desk = with_policy()
    desk.alert("cost")
    desk.wait(7 * 86400 + 1)
    assert desk.state == "expired"


def test_a_storm_of_alerts_opens_a_bounded_number_of_incidents_and_acts_within_limits() -> None:
    desk = Desk(limits=Limits(max_open=20))
    desk.steady()
    for number in range(300):
        desk.alert("anomaly", ("slice", f"s{number}"), place=f"s{number}")
    assert len([i for i in desk.incidents if i.open]) == 20
    assert desk.actions == []
    assert len(desk.told) <= 20


def test_nothing_is_retrained_while_a_field_is_in_quarantine() -> None:
    desk = Desk()
    desk.steady()
    bad = desk.alert("data_quality", ("feature", "price"), ("source", "feed"), since_row=9000)
    desk.answer(desk.last)
    desk.alert("concept_drift", ("model", "1"), severity="critical", since_row=0)
    assert desk.actions == ["quarantine_source"]
    assert desk.incidents[-1].why == "no retraining while price of feed is in quarantine"
    desk.resolve(bad)
    desk.answer(desk.last)
    for _ in range(3):
        desk.pass_rows(0.9)
    assert desk.actions == ["quarantine_source", "release_source", "retrain"]


def test_a_retrain_waits_for_no_quarantine_of_a_field_that_no_input_is_made_of() -> None:
    desk = Desk()
    desk.define({**SPECIFICATION, "features": {"day": "day"}})
    desk.steady()
    desk.ask("quarantine_source", source="feed", fields=["price"])
    desk.answer(desk.last)

    desk.pass_rows(0.6)
    desk.alert("concept_drift", ("model", "1"), severity="critical", since_row=1000)

    assert desk.actions == ["quarantine_source", "retrain"]
