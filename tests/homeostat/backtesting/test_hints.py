"""What a person is told of policies and schedules that a history has no room for."""

from __future__ import annotations

from homeostat.backtesting.hints import hints_of, idle_schedules, late_first_model
from homeostat.backtesting.loop import Pace
from shared.pipeline.specification import Policy
from tests.homeostat.backtesting.test_history import rows, taken

HOURLY = [
    {**row, "at": f"2026-{1 + i // 600:02}-{1 + i // 24 % 25:02}T{i % 24:02}:00:00Z"} for i, row in enumerate(rows())
]
PACE = Pace(batch=100, rate=None, training_seconds=5.0)


def policy(name: str, action: str, rows: int = 720) -> Policy:
    rung = {"action": action, "verify_rows": rows, "verify_within": "1d"}
    return Policy.model_validate({"name": name, "when": {}, "ladder": [rung]})


def test_what_is_true_of_several_rungs_is_said_once_in_days() -> None:
    policies = [policy("learn-anew", "retrain"), policy("take-back", "rollback"), policy("fresh", "retrain")]

    (hint,) = hints_of(taken(HOURLY), PACE, policies)

    assert hint.startswith("policy learn-anew: retrain; policy take-back: rollback; policy fresh: retrain are to be")
    assert "over 720 labelled rows within 1 day, but at this history's pace they take 30 days:" in hint
    assert "0:00:00" not in hint


def test_rungs_that_ask_for_different_things_are_told_apart() -> None:
    policies = [policy("learn-anew", "retrain"), policy("take-back", "rollback", rows=360)]

    assert len(list(hints_of(taken(HOURLY), PACE, policies))) == 2


def test_a_schedule_whose_turn_never_comes_is_said_to_be_static() -> None:
    assert list(idle_schedules(["static", "periodic:500", "river-linear"], 1000, 2000)) == []

    (hint,) = idle_schedules(["static", "periodic:5000"], 1000, 2000)

    assert hint.startswith("periodic:5000 is static here")
    assert "--against static,periodic:200" in hint


def test_a_label_delay_is_told_in_words() -> None:
    (late,) = (each for each in taken(rows(), "90m").treatments if each.what == "labels-late")

    assert "(label delay: 1 h 30 min)" in late.detail


def test_a_first_model_that_came_late_is_told_with_what_held_it_up() -> None:
    table = [{**row, "churned": i > 1200} for i, row in enumerate(rows(1400))]

    (late,) = late_first_model(1300, taken(table), PACE)
    (none,) = late_first_model(None, taken(table), PACE)

    assert late.startswith("the first model answers from row 1,300 on, though there were labels enough from row 4")
    assert "the last 100 rows alone are compared; the first 1,201 labelled rows have one value of `churned`" in late
    assert none.startswith("no model came of this history")
    assert "the first 1,201 labelled rows" in none
    assert list(late_first_model(60, taken(table), PACE)) == []
