"""Killed anywhere and started again, the remediator says what it would have said."""

from __future__ import annotations

import copy

import msgspec

from services.remediator.service import Remediator
from shared.service import Batch
from tests.support.desk import Desk


def whole_story(desk: Desk) -> None:
    """Every state an incident can take, in one go."""
    desk.steady()
    desk.alert("data_drift", ("feature", "day"), severity="info")
    loss = desk.alert("concept_drift", ("model", "1"), severity="critical", since_row=1000)
    retrain = desk.last
    desk.answer(retrain, "running")
    bad = desk.alert("data_quality", ("feature", "price"), ("source", "feed"), statistic="unit.price", since_row=1000)
    desk.answer(desk.last)
    desk.retrained(retrain, "2")
    desk.model("1", command=desk.last.id)
    desk.answer(desk.last, version="1")
    desk.pass_rows(0.6)
    desk.resolve(bad)
    desk.answer(desk.last)
    for _ in range(5):
        desk.pass_rows(0.6)
    desk.wait(30)
    desk.retrained(desk.last, "3")
    desk.pass_rows(0.4, version="3")
    desk.pass_rows(0.4, version="3")
    desk.model("1", command=desk.last.id)
    desk.answer(desk.last, version="1")
    for _ in range(8):
        desk.pass_rows(0.6)
        desk.wait(10)
    desk.ask("approve", incident="none")
    desk.ask("hold", by="bob")
    desk.answer(desk.last)
    desk.ask("acknowledge", incident=desk.incidents[0].id)
    desk.resolve(loss)
    desk.wait(86_400 * 8)


def test_saved_and_restored_before_every_message_it_says_the_same() -> None:
    steady, restarted = Desk(), Desk(restarts=True)
    whole_story(steady)
    whole_story(restarted)
    assert restarted.commands == steady.commands
    assert restarted.audit == steady.audit
    assert restarted.remediator.save() == steady.remediator.save()
    assert {"command_issued", "verified", "not_verified", "undone", "incident_resolved"} <= set(steady.kinds())


def test_a_step_that_is_done_again_after_a_crash_gives_the_same_command() -> None:
    desk = Desk()
    desk.steady()
    before = desk.remediator.save()
    desk.alert("concept_drift", ("model", "1"), severity="critical", since_row=1000)
    first, ledger = list(desk.commands), list(desk.audit)

    again = Desk()
    again.now, again.rows, again.windows = desk.now, desk.rows, desk.windows
    again.offsets = copy.copy(desk.offsets)
    again.offsets["alerts"] -= 1
    again.audit, again.commands = [], []
    again.remediator = Remediator(desk.settings)
    again.remediator.restore(before)
    again.alert("concept_drift", ("model", "1"), severity="critical", since_row=1000)
    assert again.commands == first
    assert again.audit == ledger[-len(again.audit) :]


def test_an_alert_told_twice_opens_one_incident_and_gives_one_order() -> None:
    desk = Desk()
    alert = desk.alert("concept_drift", ("model", "1"), severity="critical")
    spoken = len(desk.audit)
    desk.again(alert)
    assert len(desk.incidents) == 1
    assert desk.actions == ["retrain"]
    assert len(desk.audit) == spoken


def test_a_request_told_twice_is_carried_out_once() -> None:
    desk = Desk()
    desk.ask("hold", number=7)
    desk.ask("hold", number=7)
    assert desk.actions == ["hold"]


def test_an_answer_told_twice_changes_nothing_more() -> None:
    desk = Desk()
    desk.steady()
    desk.alert("concept_drift", ("model", "1"), severity="critical")
    desk.retrained(desk.last, "2")
    state = desk.state
    desk.answer(desk.last, version="2")
    assert desk.state == state
    assert desk.actions == ["retrain"]


def test_an_answer_to_a_command_of_nobody_is_let_be() -> None:
    desk = Desk()
    desk.alert("data_quality", ("feature", "price"), ("source", "feed"))
    spoken = len(desk.audit)
    desk.answer(msgspec.structs.replace(desk.last, id="command-0"))
    assert len(desk.audit) == spoken


def test_a_batch_of_many_is_the_same_as_many_batches() -> None:
    one, many = Desk(), Desk()
    alerts = [one.alert("anomaly", ("slice", place)) for place in ("a", "b", "c")]
    step = many.remediator.on_alerts(Batch("alerts", 0, [0, 1, 2], alerts), many.now)
    assert [out.message for out in step.messages if out.topic.name == "commands"] == one.commands
