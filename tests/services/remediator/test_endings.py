"""How an incident that is over is called: healed is only what an action was seen to end."""

from __future__ import annotations

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


def released(desk: Desk) -> None:
    """A field in another unit, withheld and given back."""
    desk.steady()
    bad = desk.alert("data_quality", ("feature", "price"), ("source", "feed"), statistic="unit.price", since_row=1000)
    desk.answer(desk.last)
    desk.resolve(bad)
    desk.answer(desk.last)


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
    assert "the cause is gone, but performance is not seen to be back" in message
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
    assert "retrain (failed)" in message
    assert "healed" not in message


def test_what_was_verified_before_an_incident_came_back_says_nothing_of_its_next_end() -> None:
    desk = Desk()
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


def test_a_person_who_was_told_has_healed_nothing_yet() -> None:
    desk = Desk()
    silent = desk.alert("data_quality", ("source", "feed"), statistic="silent_rows")
    desk.resolve(silent)

    assert desk.state == "resolved"
    assert ending(desk)[0] == "passed"


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
