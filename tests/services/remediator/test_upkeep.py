"""Upkeep: the live version is made anew without any trouble, gated, measured and taken back like all else."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from services.remediator.core.limits import Limits
from tests.support.desk import SPECIFICATION, Desk

REFRESH: dict[str, Any] = {
    "name": "refresh",
    "when": {"every": "2000 rows"},
    "ladder": [{"action": "retrain", "verify_rows": 500, "verify_within": "30d", "deadline": "15m"}],
}
BACK: dict[str, Any] = {
    "name": "back",
    "when": {"causes": ["version"]},
    "ladder": [{"action": "rollback", "verify_rows": 500, "verify_within": "30d", "deadline": "5m"}],
}


def due(*, restarts: bool = False, limits: Limits | None = None) -> Desk:
    """A desk whose live version has answered 2,000 labelled rows well: upkeep is due."""
    desk = Desk(upkeep=True, restarts=restarts, limits=limits)
    desk.steady(windows=8)
    return desk


def test_so_many_labelled_rows_after_the_last_training_the_live_version_is_made_anew() -> None:
    desk = Desk(upkeep=True)
    desk.steady(windows=7)
    assert desk.commands == []

    desk.pass_rows(0.9)

    assert desk.actions == ["retrain"]
    assert desk.last.issued_by == "policy:keep-fresh@default"
    assert (desk.last.arguments["proof"], desk.last.arguments["gives_way"]) == (0.2, True)
    assert desk.last.expects is not None


def test_a_refresh_that_keeps_performance_is_verified_and_nobody_is_told() -> None:
    desk = due(restarts=True)
    desk.retrained(desk.last, "2")
    for _ in range(3):
        desk.pass_rows(0.91, version="2")
    desk.wait(3600)

    assert desk.kinds().count("verified") == 1
    assert desk.state == "resolved"
    assert desk.told == []


def test_a_refresh_that_performs_worse_is_taken_back() -> None:
    desk = due(restarts=True)
    desk.retrained(desk.last, "2")
    for _ in range(3):
        desk.pass_rows(0.7, version="2")
    assert (desk.last.action, desk.last.arguments) == ("rollback", {"to_version": "1"})
    desk.model("1", command=desk.last.id)
    desk.answer(desk.last, version="1")

    assert desk.state == "resolved"
    assert "undone" in desk.kinds()
    assert desk.told == []


def test_a_refresh_that_the_gate_refuses_ends_quietly_and_the_next_waits_twice_as_long() -> None:
    desk = due()
    desk.answer(desk.last, state="failed", detail="not better")
    assert desk.state == "resolved"
    desk.steady(windows=15)
    assert desk.actions == ["retrain"]

    desk.pass_rows(0.9)

    assert desk.actions == ["retrain"] * 2
    assert desk.told == []


def test_a_healthy_stream_is_trained_on_ever_less_often() -> None:
    desk = Desk(upkeep=True)
    desk.steady(windows=1)
    for _ in range(400):
        desk.pass_rows(0.9)
        if any(incident.state == "acting" for incident in desk.incidents):
            desk.answer(desk.last, state="failed", detail="not better")

    assert desk.actions == ["retrain"] * 5
    assert desk.told == []


def test_upkeep_does_not_begin_in_the_middle_of_trouble() -> None:
    desk = Desk(upkeep=True)
    desk.steady(windows=7)
    desk.alert("data_quality", ("feature", "price"), ("source", "feed"), statistic="unit")
    desk.answer(desk.last)
    for _ in range(6):
        desk.pass_rows(0.9)

    assert desk.actions == ["quarantine_source"]


def test_upkeep_waits_for_no_quarantine_of_a_field_that_no_input_is_made_of() -> None:
    for features, expected in (({"day": "day"}, ["quarantine_source", "retrain"]), ({}, ["quarantine_source"])):
        desk = Desk(upkeep=True)
        desk.define({**SPECIFICATION, "features": features})
        desk.steady()
        desk.ask("quarantine_source", source="feed", fields=["price"])
        desk.answer(desk.last)

        desk.steady()

        assert desk.actions == expected


def test_trouble_need_not_wait_until_a_refresh_is_verified() -> None:
    desk = due(restarts=True)
    desk.retrained(desk.last, "2")
    desk.pass_rows(0.6, version="2")
    desk.alert("concept_drift", ("model", "2"), severity="critical", since_row=desk.rows - 250)

    assert desk.actions == ["retrain", "retrain"]
    assert desk.last.issued_by == "policy:retrain-on-concept-drift@default"
    first = next(iter(desk.incidents))
    assert (first.state, "takes over" in first.why) == ("resolved", True)


def test_a_version_made_while_worse_trouble_began_is_taken_back() -> None:
    desk = due()
    refresh = desk.last
    desk.alert("data_quality", ("feature", "price"), ("source", "feed"), statistic="unit")
    desk.retrained(refresh, "2")

    assert desk.actions == ["retrain", "quarantine_source", "rollback"]
    assert desk.last.arguments == {"to_version": "1"}


def test_a_version_made_while_worse_trouble_began_that_is_only_on_trial_ends_its_trial() -> None:
    desk = due()
    refresh = desk.last
    desk.alert("data_quality", ("feature", "price"), ("source", "feed"), statistic="unit")
    desk.model("2", "shadow", command=refresh.id)
    desk.answer(refresh, version="2")

    assert desk.actions == ["retrain", "quarantine_source", "shift_traffic"]
    assert desk.last.arguments == {"version": "2", "weight": 0.0}


def test_a_version_made_of_rows_from_before_the_trouble_stays() -> None:
    desk = due()
    refresh = desk.last
    desk.alert("data_quality", ("feature", "price"), ("source", "feed"), statistic="unit", since_row=desk.rows + 10)
    desk.retrained(refresh, "2")

    assert desk.actions == ["retrain", "quarantine_source"]


def bad_release_rolled_back(desk: Desk) -> None:
    """Version 2 takes over from 1, is found bad, and 1 answers again."""
    desk.model("2")
    desk.pass_rows(0.3, version="2")
    desk.alert("performance", ("version", "2"), version="2", since_row=desk.rows - 250)
    rollback = desk.last
    desk.model("1", command=rollback.id)
    desk.answer(rollback, version="1")


def test_a_version_made_while_a_bad_release_was_found_stays() -> None:
    desk = due()
    refresh = desk.last
    bad_release_rolled_back(desk)
    desk.retrained(refresh, "3")

    assert desk.actions == ["retrain", "rollback"]


def test_a_rollback_is_verified_by_what_answers_without_the_bad_version_also_where_a_newer_one_has_taken_over() -> None:
    desk = due()
    refresh = desk.last
    bad_release_rolled_back(desk)
    desk.pass_rows(0.9, version="1", beside={"2": 0.3})
    desk.retrained(refresh, "3")
    desk.model("4", "shadow")
    desk.pass_rows(0.9, version="3", beside={"4": 0.1})

    own = [e for e in desk.audit if e.incident == desk.incidents[-1].id]
    assert [e.kind for e in own][-2:] == ["verified", "incident_resolved"]
    assert "500 rows (250 of them answered by version 1, the rest by newer ones)" in own[-1].summary
    assert desk.told == []


def test_what_is_undone_gives_way_to_the_version_it_took_over_from_not_to_the_one_when_it_was_ordered() -> None:
    desk = due()
    refresh = desk.last
    desk.model("2")
    desk.model("3")
    desk.retrained(refresh, "4")
    for _ in range(3):
        desk.pass_rows(0.2, version="4")

    assert desk.actions == ["retrain", "rollback"]
    assert desk.last.arguments == {"to_version": "3"}


def test_a_person_s_promotion_waits_for_no_training_and_ends_the_upkeep() -> None:
    desk = due()
    refresh = desk.last
    desk.ask("promote", version="3", force=True)

    assert desk.actions == ["retrain", "promote"]
    assert [incident.state for incident in desk.incidents] == ["resolved", "acting"]
    desk.retrained(desk.last, "3")
    desk.answer(refresh, "failed", detail="not better than version 3")
    assert desk.actions == ["retrain", "promote"]
    assert [incident.state for incident in desk.incidents] == ["resolved", "verifying"]


def test_a_person_s_training_waits_for_the_one_under_way() -> None:
    desk = due()
    refresh = desk.last
    desk.ask("recalibrate")
    assert desk.actions == ["retrain"]

    desk.retrained(refresh, "2")

    assert desk.actions == ["retrain", "recalibrate"]


def test_a_remedy_s_training_waits_for_the_refresh_that_gave_way_and_still_runs() -> None:
    desk = due()
    refresh = desk.last
    desk.ask("promote", version="1", force=True)
    desk.answer(desk.last, version="1")
    desk.alert("concept_drift", ("model", "1"), severity="critical")
    assert desk.actions == ["retrain", "promote"], "the trainer would refuse it, and a rung would be lost"
    assert desk.incidents[-1].state == "triaged"

    desk.answer(refresh, state="failed", detail="not better")
    desk.pass_rows(0.6)
    desk.pass_rows(0.6)
    desk.wait()

    assert desk.actions == ["retrain", "promote", "retrain"]


def test_upkeep_takes_no_more_than_its_share_of_the_time() -> None:
    desk = due(limits=Limits(upkeep_share=0.1))
    desk.now += timedelta(seconds=60)
    desk.retrained(desk.last, "2")
    desk.steady(windows=60, version="2")
    assert desk.actions.count("retrain") == 1

    desk.steady(windows=60, version="2")

    assert desk.actions.count("retrain") == 2


def after_a_bad_version(desk: Desk) -> None:
    """Version 2 was bad for 750 rows, and version 1 has been back for 500."""
    desk.steady()
    desk.model("2")
    for _ in range(3):
        desk.pass_rows(0.2, version="2")
    desk.alert("performance", ("version", "2"), severity="critical", value=0.2, since_row=1000, version="2")
    desk.model("1", command=desk.last.id)
    desk.answer(desk.last, version="1")
    desk.pass_rows(0.9)
    desk.pass_rows(0.9)
    assert desk.state == "resolved"


def test_what_is_asked_of_a_refresh_is_what_the_live_version_does_not_what_a_bad_one_lost_just_before() -> None:
    desk = Desk(policies=[REFRESH, BACK])
    after_a_bad_version(desk)
    desk.pass_rows(0.9)

    assert desk.last.action == "retrain"
    assert desk.last.expects is not None
    assert desk.last.expects.bound > 0.85


def test_what_is_asked_of_a_promotion_is_what_the_live_version_does_not_what_a_bad_one_lost_just_before() -> None:
    desk = Desk()
    after_a_bad_version(desk)
    desk.ask("promote", version="3", force=True)

    assert desk.last.expects is not None
    assert desk.last.expects.bound > 0.85


def test_windows_of_one_version_that_differ_leave_room_for_chance() -> None:
    steady, rough = Desk(upkeep=True), Desk(upkeep=True)
    for desk, swing in ((steady, 0.0), (rough, 0.05)):
        desk.model("1")
        for number in range(8):
            desk.pass_rows(0.85 + (swing if number % 2 else -swing))

    assert steady.last.expects is not None
    assert rough.last.expects is not None
    assert rough.last.expects.bound < steady.last.expects.bound - 0.05


def test_a_live_version_with_too_few_rows_of_its_own_is_to_keep_what_all_did() -> None:
    desk = Desk()
    desk.steady(accuracy=0.9)
    desk.model("2")
    desk.pass_rows(0.5, version="2", rows=100)
    desk.ask("promote", version="3", force=True)

    assert desk.last.expects is not None
    assert desk.last.expects.bound > 0.8
