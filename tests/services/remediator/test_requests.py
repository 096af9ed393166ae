"""People's requests take the same path, limits and ledger as a policy's orders."""

from __future__ import annotations

from typing import Any, Literal

import pytest

from services.remediator.core.limits import Limits
from shared.messages import Request
from tests.support.desk import Desk

ONE_TRY: dict[str, Any] = {
    "name": "one-try",
    "when": {"kinds": ["concept_drift"]},
    "ladder": [{"action": "retrain"}],
}


def test_a_request_becomes_a_command_under_an_incident_of_that_person() -> None:
    desk = Desk()
    desk.steady()
    desk.model("2")
    desk.ask("rollback", by="ann")
    assert desk.last.issued_by == "person:ann"
    assert desk.last.arguments == {"to_version": "1"}
    assert desk.incident.request is not None
    desk.model("1", command=desk.last.id)
    desk.answer(desk.last, version="1")
    desk.pass_rows(0.9)
    desk.pass_rows(0.9)
    assert desk.state == "resolved"
    assert "verified" in desk.kinds()


def test_a_second_rollback_goes_one_further_back_and_never_to_what_was_just_taken_down() -> None:
    desk = Desk()
    desk.steady()
    desk.model("2")
    desk.model("3")
    for number, version in enumerate(("2", "1")):
        desk.ask("rollback", number=number)
        assert desk.last.arguments == {"to_version": version}
        desk.model(version, command=desk.last.id)
        desk.answer(desk.last, version=version)
        desk.pass_rows(0.9, version=version)
        desk.pass_rows(0.9, version=version)
    desk.ask("rollback", number=2)
    assert desk.actions == ["rollback", "rollback"]
    assert "no earlier version" in desk.audit[-1].summary


def test_a_model_trained_after_a_rollback_lies_on_the_version_gone_back_to() -> None:
    desk = Desk()
    desk.steady()
    desk.model("2")
    desk.ask("rollback")
    desk.model("1", command=desk.last.id)
    desk.answer(desk.last, version="1")
    desk.pass_rows(0.9)
    desk.pass_rows(0.9)
    desk.model("3")
    desk.ask("rollback", number=2)
    assert desk.last.arguments == {"to_version": "1"}


def test_what_a_person_did_is_measured_but_never_undone() -> None:
    desk = Desk()
    desk.steady()
    desk.ask("promote", version="2", force=True)
    desk.retrained(desk.last, "2")
    desk.pass_rows(0.5, version="2")
    desk.pass_rows(0.5, version="2")
    assert desk.actions == ["promote"]
    assert "not_verified" in desk.kinds()
    assert desk.state == "resolved"


def test_a_model_brought_from_outside_is_named_in_the_ledger_by_its_hash_alone() -> None:
    desk = Desk()
    desk.ask("promote", candidate={"artifact": {"sha256": "abc"}, "card": {"long": "x" * 999}})
    assert desk.last.arguments["candidate"] == {"artifact": {"sha256": "abc"}, "card": {"long": "x" * 999}}
    issued = next(e for e in desk.audit if e.kind == "command_issued")
    assert issued.body["arguments"] == {"candidate": "abc"}


def test_a_request_for_a_pipeline_that_is_not_there_is_refused() -> None:
    desk = Desk()
    desk.define({"name": "gone", "kind": "binary", "schema": {"a": {"type": "number"}}}, pipeline="other")
    desk.ask("hold")
    assert desk.actions == ["hold"]
    desk.give("requests", Request(id="r", pipeline="nowhere", action="hold", issued_by="ann", at=desk.now))
    assert desk.audit[-1].summary == "hold by ann refused: there is no pipeline 'nowhere'"
    assert desk.audit[-1].body["request"] == "r"


def test_a_request_waits_for_a_rollback_in_hand_and_lapses_if_that_takes_too_long() -> None:
    desk = Desk()
    desk.steady()
    desk.model("2")
    desk.alert("performance", ("version", "2"), severity="critical", since_row=1000)
    desk.ask("retrain")
    assert desk.actions == ["rollback"]
    desk.model("1", command=desk.last.id)
    desk.answer(desk.last, version="1")
    assert desk.actions == ["rollback"], "its effect is being measured"
    desk.wait(901)
    person = next(i for i in desk.incidents if i.request is not None)
    assert person.state == "expired"
    assert "not carried out in time" in person.why


def test_a_request_that_fails_is_told_to_a_person_and_over() -> None:
    desk = Desk()
    desk.steady()
    desk.ask("retrain")
    desk.answer(desk.last, "failed", detail="too few rows")
    assert desk.state == "resolved"
    assert "too few rows" in desk.told[0]


@pytest.mark.parametrize("end", ["failed", "refused", "no answer"])
def test_a_request_that_came_to_nothing_is_told_but_pages_nobody(
    end: Literal["failed", "refused", "no answer"],
) -> None:
    desk = Desk()
    desk.steady()
    desk.ask("retrain")
    if end == "no answer":
        desk.wait(3600)
    else:
        desk.answer(desk.last, end)

    (told,) = [command for command in desk.commands if command.action == "notify"]
    assert (told.arguments["severity"], told.arguments["occasion"]) == ("warning", "request")


def test_trouble_that_nothing_helped_against_pages_a_person() -> None:
    desk = Desk(policies=[ONE_TRY])
    desk.steady()
    desk.alert("concept_drift", ("model", "1"), severity="warning", since_row=1000)
    desk.answer(desk.last, "failed", detail="too few rows")

    (told,) = [command for command in desk.commands if command.action == "notify"]
    assert (told.arguments["severity"], told.arguments["occasion"]) == ("critical", "escalated")


def test_a_hold_of_a_person_stays_until_a_person_ends_it() -> None:
    desk = Desk()
    desk.steady()
    desk.ask("hold")
    desk.answer(desk.last)
    desk.wait(3600)
    assert desk.actions == ["hold"]
    desk.alert("concept_drift", ("model", "1"), severity="critical")
    assert desk.actions == ["hold"]
    assert desk.incidents[-1].why == "learning is on hold"
    desk.ask("release_hold")
    desk.answer(desk.last)
    assert desk.actions == ["hold", "release_hold", "retrain"]


def test_a_person_pauses_a_retrain_whose_effect_is_pending() -> None:
    desk = Desk()
    desk.steady()
    desk.alert("concept_drift", ("model", "1"), severity="critical", since_row=1000)
    desk.retrained(desk.last, "2")
    desk.ask("rollback")
    assert desk.actions == ["retrain", "rollback"]


@pytest.mark.parametrize("training", ["retrain", "recalibrate"])
@pytest.mark.parametrize("action", ["promote", "rollback", "shift_traffic"])
def test_a_person_s_change_of_the_live_version_waits_for_no_training(training: str, action: str) -> None:
    desk = Desk()
    desk.steady()
    desk.model("2")
    desk.ask(training)
    desk.ask(action, version="1", weight=0.5)

    assert desk.actions == [training, action]


def test_the_version_of_a_training_that_a_person_s_promotion_overtook_is_measured_when_that_is_done() -> None:
    desk = Desk()
    desk.steady()
    desk.alert("concept_drift", ("model", "1"), severity="critical", since_row=1000)
    training = desk.last
    desk.ask("promote", version="2", force=True)
    desk.retrained(desk.last, "2")
    desk.retrained(training, "3")
    assert [incident.state for incident in desk.incidents] == ["verifying", "resolved"]
    for _ in range(3):
        desk.pass_rows(0.9, version="3")

    assert [incident.state for incident in desk.incidents] == ["resolved", "resolved"]
    assert desk.actions == ["retrain", "promote"]


def test_a_version_asked_for_that_was_replaced_before_anything_was_measured_is_not_said_to_have_lost() -> None:
    desk = Desk()
    desk.steady()
    desk.ask("promote", version="2", force=True)
    desk.retrained(desk.last, "2")
    desk.model("3")
    desk.wait()

    assert (desk.state, "not_verified" in desk.kinds()) == ("resolved", False)
    assert desk.incident.why == (
        "the promotion of version 2 was asked for and done, but is not known to have kept performance: version 2 was "
        "replaced before anything of it could be measured"
    )


@pytest.mark.parametrize(("accuracy", "found"), [(0.9, "unknown"), (0.5, "not_verified")])
def test_of_a_version_asked_for_that_was_replaced_early_counts_what_was_measured(accuracy: float, found: str) -> None:
    desk = Desk()
    desk.steady()
    desk.ask("promote", version="2", force=True)
    desk.retrained(desk.last, "2")
    desk.pass_rows(accuracy, version="2")
    desk.model("3")
    desk.wait()

    (entry,) = [entry for entry in desk.audit if entry.kind in ("verified", "not_verified", "unknown")]
    assert entry.kind == found
    assert f"version 2 was replaced: accuracy is {accuracy} over 250 rows" in entry.summary


def test_acknowledging_keeps_an_escalated_incident_from_expiring() -> None:
    desk = Desk()
    desk.alert("cost")
    desk.wait(3600)
    assert desk.incident.open
    desk.ask("acknowledge", by="ann", incident=desk.incident.id)
    assert desk.incident.acknowledged_by == "ann"
    assert desk.kinds()[-1] == "acknowledged"


def test_an_answer_to_an_incident_that_is_not_there_is_refused() -> None:
    desk = Desk()
    desk.ask("approve", incident="incident-0")
    assert desk.audit[-1].kind == "request_refused"
    assert "no incident 'incident-0'" in desk.audit[-1].summary


def test_a_promotion_that_was_rolled_back_is_over_and_holds_nobody_up() -> None:
    desk = Desk()
    desk.steady()
    desk.alert("concept_drift", ("model", "1"), severity="critical", since_row=1000)
    desk.retrained(desk.last, "2")
    desk.ask("promote", version="3", force=True)
    desk.retrained(desk.last, "3")
    desk.alert("performance", ("version", "3"), severity="critical", since_row=90_000)
    assert desk.actions == ["retrain", "promote", "rollback"]
    desk.model("2", command=desk.last.id)
    desk.answer(desk.last, version="2")
    for _ in range(5):
        desk.pass_rows(0.9, version="2")
    assert [i.state for i in desk.incidents] == ["resolved", "resolved", "resolved"]
    assert desk.actions == ["retrain", "promote", "rollback"]


def test_requests_that_wait_for_their_turn_count_to_what_people_may_order() -> None:
    desk = Desk(limits=Limits(person_actions_per_hour=3))
    desk.steady()
    for number in range(6):
        desk.ask("retrain", number=number)
    refused = [entry.summary for entry in desk.audit if entry.kind == "request_refused"]

    assert desk.actions == ["retrain"]
    assert len(refused) == 3
    assert "1 requests were carried out in the last hour and 2 wait for their turn" in refused[0]


def test_requests_of_one_moment_are_carried_out_as_they_came() -> None:
    desk = Desk()
    names = ["ann", "bob", "cid", "dan", "eve"]
    for number, name in enumerate(names):
        desk.ask("recalibrate", by=name, number=number)
    for _ in names:
        desk.answer(desk.last)

    assert [command.issued_by for command in desk.commands] == [f"person:{name}" for name in names]
