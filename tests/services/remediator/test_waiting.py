"""Slow streams: a wait that passes needs nobody, one that does not calls a person, once."""

from __future__ import annotations

from typing import Any

from tests.support.desk import Desk

DAY = 86_400.0
LEARN: dict[str, Any] = {
    "name": "learn",
    "when": {"kinds": ["concept_drift"]},
    "ladder": [{"action": "retrain", "verify_rows": 500, "verify_within": "30d", "deadline": "15m"}] * 3,
    "cooldown": "1000 rows",
    "budget": {"actions": 4, "per": "10000 rows"},
}
REFRESH: dict[str, Any] = {
    "name": "refresh",
    "when": {"every": "1000 rows"},
    "ladder": [{"action": "retrain", "verify_rows": 500, "verify_within": "30d", "deadline": "15m"}],
}


def undone_retrain(*policies: dict[str, Any]) -> Desk:
    """Version 2 was to win back what was lost, did worse, and has been taken back; the alert fires on."""
    desk = Desk(policies=list(policies or (LEARN,)), restarts=True)
    desk.steady()
    desk.alert("concept_drift", ("model", "1"), severity="critical")
    desk.retrained(desk.last, "2")
    desk.pass_rows(0.4, version="2")
    desk.pass_rows(0.4, version="2")
    desk.model("1", command=desk.last.id)
    desk.answer(desk.last, version="1")
    assert (desk.actions, desk.state) == (["retrain", "rollback"], "triaged")
    return desk


def test_who_only_waits_for_a_cool_down_in_rows_calls_nobody_however_slowly_rows_come() -> None:
    desk = undone_retrain()
    for _ in range(2):
        for _ in range(10):
            desk.wait(DAY)
        assert (desk.state, desk.told) == ("triaged", [])
        desk.pass_rows(0.5)

    assert desk.actions == ["retrain", "rollback", "retrain"]
    assert [e.summary for e in desk.audit if "cooling down" in e.summary] == [
        "not now: cooling down until row 2,000, 1,000 rows after the last retrain"
    ]


def test_a_hold_that_follows_a_cool_down_is_waited_for_a_day_and_then_told_of_once() -> None:
    desk = undone_retrain()
    desk.wait(3 * DAY)
    desk.ask("hold")
    desk.answer(desk.last)
    desk.pass_rows(0.5)
    desk.pass_rows(0.5)
    drifted = desk.incidents[0].id
    assert desk.remediator._state.incidents[drifted].why == "learning is on hold"
    desk.wait(DAY - 60)
    assert desk.told == []

    desk.wait(120)
    desk.wait(DAY)

    assert desk.incidents[0].state == "escalated"
    (message,) = desk.told
    assert "learning is on hold" in message


def test_where_rows_stop_a_person_is_called_after_a_month() -> None:
    desk = undone_retrain()
    desk.wait(29 * DAY)
    assert desk.told == []

    desk.wait(2 * DAY)
    desk.wait(DAY)

    (message,) = desk.told
    assert "It has waited 30 days: cooling down until row 2,000" in message


def test_who_waits_for_another_incident_s_measuring_calls_nobody_while_that_goes_on() -> None:
    slices = {**LEARN, "name": "slices", "when": {"kinds": ["fairness"]}}
    desk = Desk(policies=[LEARN, slices], restarts=True)
    desk.steady()
    desk.alert("fairness", ("slice", "night"), severity="critical", since_row=0)
    desk.retrained(desk.last, "2")
    desk.alert("concept_drift", ("model", "2"), severity="critical", since_row=desk.rows + 90_000)
    for _ in range(5):
        desk.wait(DAY)

    assert "is being measured" in desk.incidents[-1].why
    assert desk.told == []


def test_who_is_paused_by_a_rollback_calls_nobody_while_that_is_measured() -> None:
    desk = Desk(restarts=True)
    desk.steady()
    desk.alert("concept_drift", ("model", "1"), severity="critical", since_row=1000)
    desk.retrained(desk.last, "2")
    desk.model("3")
    desk.alert("performance", ("version", "3"), severity="critical", since_row=90_000, version="3")
    desk.model("2", command=desk.last.id)
    desk.answer(desk.last, version="2")
    assert desk.actions == ["retrain", "rollback"]
    for _ in range(5):
        desk.wait(DAY)
    assert desk.told == []

    desk.pass_rows(0.9, version="2")
    desk.pass_rows(0.9, version="2")
    desk.pass_rows(0.9, version="2")
    desk.pass_rows(0.9, version="2")

    assert [incident.state for incident in desk.incidents] == ["resolved", "resolved"]


def test_a_spent_budget_calls_nobody_while_upkeep_makes_a_version_that_may_help() -> None:
    desk = Desk(policies=[{**LEARN, "budget": {"actions": 1, "per": "10000 rows"}}, REFRESH])
    desk.steady(windows=3)
    desk.alert("concept_drift", ("model", "1"), severity="critical", since_row=0)
    desk.retrained(desk.last, "2")
    for _ in range(6):
        desk.pass_rows(0.9, version="2")
    refresh = desk.last
    assert (refresh.issued_by, desk.told) == ("policy:refresh@1", [])
    again = desk.alert("concept_drift", ("model", "2"), severity="critical", since_row=9000, place="m2")
    assert "may help" in desk.incidents[-1].why

    desk.retrained(refresh, "3")
    desk.resolve(again)

    assert desk.incidents[-1].state == "resolved"
    assert desk.told == []


def test_a_training_whose_version_was_replaced_is_waited_for_no_more_and_the_trouble_that_lasts_is_met_anew() -> None:
    desk = Desk(restarts=True)
    desk.steady()
    desk.alert("concept_drift", ("model", "1"), severity="critical", since_row=1000)
    desk.retrained(desk.last, "2")
    desk.model("3")
    for _ in range(8):
        desk.pass_rows(0.2, version="3")

    assert desk.actions == ["retrain", "retrain"]
    assert "version 3 has replaced version 2" in "; ".join(entry.summary for entry in desk.audit)


def test_a_training_whose_version_was_replaced_ends_with_its_trouble() -> None:
    desk = Desk(restarts=True)
    desk.steady()
    alert = desk.alert("concept_drift", ("model", "1"), severity="critical", since_row=1000)
    desk.retrained(desk.last, "2")
    desk.model("3")
    desk.resolve(alert)
    for _ in range(4):
        desk.pass_rows(0.9, version="3")

    assert desk.state == "resolved"
    assert desk.told == []
