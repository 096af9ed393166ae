"""How an incident that is over is called: healed is only what an action was seen to end."""

from __future__ import annotations

import pytest

from shared.messages import Alert
from tests.support.desk import Desk


def quiet(desk: Desk) -> None:
    """Long enough for a person to be told of an end."""
    desk.wait(3600)


def drift(desk: Desk, firing: int = 1) -> Alert:
    return desk.alert("concept_drift", ("model", "1"), severity="critical", firing=firing)


def ending(desk: Desk) -> tuple[object, str]:
    entry = [entry for entry in desk.audit if entry.kind == "incident_resolved"][-1]
    return entry.body["ending"], entry.summary


def released(desk: Desk, before: tuple[float, ...] = (0.9,) * 4) -> None:
    """A field in another unit, withheld and given back in the middle of a window; the accuracy `before`."""
    desk.model("1")
    for accuracy in before:
        desk.pass_rows(accuracy)
    bad = desk.alert(
        "data_quality", ("feature", "price"), ("source", "feed"), statistic="unit.price", since_row=desk.rows
    )
    desk.answer(desk.last)
    desk.resolve(bad)
    desk.answer(desk.last)
    desk.pass_rows(0.5)


def test_a_field_that_is_right_again_while_performance_is_not_back_did_not_heal() -> None:
    desk = Desk()
    released(desk)
    desk.pass_rows(0.12)
    desk.pass_rows(0.12)
    quiet(desk)

    assert ending(desk)[0] == "unrestored"
    assert "performance is not seen to be back" in ending(desk)[1]
    (message,) = desk.told
    assert "healed" not in message
    assert "the alert has ended, but performance is not seen to be back" in message
    assert "accuracy is 0.12 over 500 rows" in message
    assert "release_source" not in message, "what was done is the quarantine"
    assert desk.commands[-1].arguments["severity"] == "warning"


def test_a_field_given_back_with_performance_as_before_is_healed() -> None:
    desk = Desk()
    released(desk)
    desk.pass_rows(0.9)
    desk.pass_rows(0.9)
    quiet(desk)

    assert ending(desk)[0] == "healed"
    assert "healed itself" in desk.told[0]
    assert desk.commands[-1].arguments["severity"] == "info"


def test_a_loss_that_ends_after_a_retraining_came_to_nothing_has_passed_by_itself() -> None:
    desk = Desk()
    desk.steady()
    loss = drift(desk)
    desk.answer(desk.last, "failed", detail="no better")
    desk.resolve(loss)
    desk.wait()
    quiet(desk)

    assert ending(desk)[0] == "passed"
    (message,) = desk.told
    assert "passed by itself" in message
    assert "Done: retraining, which made no version." in message
    assert "healed" not in message


def test_what_was_verified_before_an_incident_came_back_says_nothing_of_its_next_end() -> None:
    rung = {"action": "retrain", "verify_rows": 500, "verify_within": "30d", "deadline": "15m"}
    patient = {"name": "p", "when": {"kinds": ["concept_drift"]}, "ladder": [rung], "cooldown": "1000 rows"}
    desk = Desk(policies=[patient])
    desk.steady()
    first = drift(desk)
    desk.retrained(desk.last, "2")
    desk.pass_rows(0.9, version="2")
    desk.pass_rows(0.9, version="2")
    desk.resolve(first)
    assert ending(desk)[0] == "healed"

    again = drift(desk, firing=2)
    assert desk.state == "triaged", "its cool-down keeps it from acting"
    desk.resolve(again)
    desk.wait()

    assert ending(desk)[0] == "passed"


@pytest.mark.parametrize("arrived", [True, False])
def test_a_person_who_was_told_has_healed_nothing_yet(*, arrived: bool) -> None:
    desk = Desk()
    silent = desk.alert("data_quality", ("source", "feed"), statistic="silent_rows")
    if arrived:
        desk.answer(desk.commands[-1])
    desk.resolve(silent)
    told = "a person was told" if arrived else "nobody is known to have been told yet"

    assert desk.state == "resolved"
    assert ending(desk)[0] == "passed"
    assert f"{told}, and the alert has resolved" in ending(desk)[1]
    (judged,) = [entry.summary for entry in desk.audit if entry.kind == "verified"]
    assert judged == f"{told}, and the alert has resolved"


def test_what_a_person_asked_for_is_done_and_neither_healed_nor_passed() -> None:
    desk = Desk()
    desk.steady()
    desk.ask("retrain")
    desk.retrained(desk.last, "2")
    desk.pass_rows(0.9, version="2", rows=1000)

    assert ending(desk)[0] == "done"


def test_the_post_mortem_of_an_unrestored_loss_does_not_say_that_it_ended_well() -> None:
    desk = Desk()
    released(desk)
    desk.pass_rows(0.12)
    desk.pass_rows(0.12)

    story = [str(e.body["postmortem"]) for e in desk.audit if e.kind == "incident_resolved"][-1]

    assert "It ended well" not in story
    assert "homeostat models retrain prices" in story


def handed_over_after_help() -> tuple[Desk, Alert]:
    """A quarantine held, was given back and needed again, and the budget for it is spent."""
    policy = {
        "name": "withhold",
        "when": {"kinds": ["data_quality"]},
        "ladder": [{"action": "quarantine_source", "metric": "alert.resolved"}],
        "budget": {"actions": 1, "per": "10000 rows"},
        "cooldown": "1 rows",
    }
    desk = Desk(policies=[policy])
    released(desk)
    wrong = desk.alert("data_quality", ("feature", "price"), ("source", "feed"), statistic="unit.price", firing=2)
    return desk, wrong


def test_what_was_withheld_and_given_back_before_a_person_was_called_did_not_end_the_trouble() -> None:
    desk, wrong = handed_over_after_help()
    assert desk.state == "escalated"
    assert any(action.outcome == "verified" for action in desk.incidents[0].actions)

    desk.resolve(wrong)

    assert ending(desk)[0] == "passed"
    assert "passed by itself" in ending(desk)[1]


def test_a_loss_that_was_over_before_the_rollback_was_not_ended_by_it() -> None:
    desk = Desk()
    desk.steady()
    desk.model("2")
    desk.pass_rows(0.3, version="2")
    desk.pass_rows(0.9, version="2")
    desk.alert("performance", ("version", "2"), severity="critical", value=0.5, since_row=1000, version="2")
    assert desk.last.action == "rollback"
    desk.model("1", command=desk.last.id)
    desk.answer(desk.last, version="1")
    desk.pass_rows(0.9, version="1")
    desk.pass_rows(0.9, version="1")
    quiet(desk)

    assert ending(desk)[0] == "passed"
    assert "Version 2 was back at 0.9 over 250 rows before the rollback to version 1 was ordered" in desk.told[0]


def not_enough(desk: Desk) -> Alert:
    """A retraining that won back some of the loss and not half of it: 0.9 before, 0.6 in the trouble, 0.65 since."""
    desk.steady()
    loss = drift(desk)
    desk.retrained(desk.last, "2")
    desk.pass_rows(0.65, version="2")
    desk.resolve(loss)
    desk.pass_rows(0.65, version="2")
    return loss


def test_a_loss_whose_alert_ends_while_performance_is_not_back_has_not_passed() -> None:
    desk = Desk()
    not_enough(desk)
    quiet(desk)

    assert ending(desk)[0] == "unrestored"
    assert "accuracy is 0.65 in the newest rows, wanted at least 0.75" in desk.told[0]


def test_the_window_in_which_a_field_was_given_back_tells_nothing_of_what_came_after() -> None:
    desk = Desk()
    released(desk)
    desk.pass_rows(0.9)
    desk.pass_rows(0.9)

    assert ending(desk)[0] == "healed"


def test_windows_that_differ_from_each_other_as_much_anyway_are_no_loss_that_stayed() -> None:
    desk = Desk()
    released(desk, before=(0.94, 0.86, 0.95, 0.85) * 2)
    desk.pass_rows(0.86)
    desk.pass_rows(0.86)

    assert ending(desk)[0] == "healed"


def test_a_remedy_that_failed_after_one_that_did_not_help_hides_no_loss() -> None:
    twice = {
        "name": "twice",
        "when": {"kinds": ["concept_drift"]},
        "ladder": [{"action": "retrain"}, {"action": "retrain"}],
        "cooldown": "1 rows",
    }
    desk = Desk(policies=[twice])
    desk.steady()
    loss = drift(desk)
    desk.retrained(desk.last, "2")
    desk.pass_rows(0.65, version="2")
    desk.pass_rows(0.65, version="2")
    desk.wait()
    desk.resolve(loss)
    desk.answer(desk.last, "failed", detail="no better version")
    desk.wait(3600)

    assert ending(desk)[0] == "unrestored"


def healed_and_broken_again() -> Desk:
    """Version 2 won back what version 1 lost, and before anyone was told it lost what it answers itself."""
    desk = Desk(restarts=True)
    desk.steady()
    first = desk.alert("concept_drift", ("model", "1"), severity="critical", since_row=1000, version="1", place="model")
    desk.retrained(desk.last, "2")
    desk.pass_rows(0.9, version="2")
    desk.pass_rows(0.9, version="2")
    desk.resolve(first)
    for _ in range(2):
        desk.pass_rows(0.9, version="2")
    desk.alert(
        "concept_drift", ("model", "2"), severity="critical", since_row=desk.rows, version="2", place="model", firing=2
    )
    assert [incident.state for incident in desk.incidents] == ["resolved", "acting"]
    return desk


def test_nobody_hears_of_a_healing_while_the_same_trouble_is_back() -> None:
    desk = healed_and_broken_again()
    quiet(desk)

    assert desk.told == []


def test_of_trouble_that_came_back_and_was_healed_again_the_last_healing_is_told() -> None:
    desk = healed_and_broken_again()
    desk.retrained(desk.last, "3")
    for _ in range(4):
        desk.pass_rows(0.9, version="3")
    desk.resolve(desk.incidents[-1].alerts[desk.incidents[-1].lead])
    quiet(desk)
    quiet(desk)

    (message,) = desk.told
    assert "retraining (version 3)" in message


def test_what_a_person_asked_for_is_said_to_have_kept_performance_or_not() -> None:
    desk = Desk()
    desk.steady()
    desk.ask("promote", version="2", force=True)
    desk.retrained(desk.last, "2")
    desk.wait()
    desk.alert("performance", ("version", "2"), severity="critical", since_row=1000, version="2")
    desk.model("1", command=desk.last.id)
    desk.answer(desk.last, version="1")

    said = next(entry.summary for entry in desk.audit if entry.kind == "not_verified")
    assert said.startswith("the promotion of version 2 did not keep performance: ")
