"""Learning on hold: by a person until a person ends it, by a policy until the trouble is over."""

from __future__ import annotations

from tests.support.desk import Desk


def held() -> Desk:
    """A desk at which ann has put learning on hold."""
    desk = Desk()
    desk.steady()
    desk.ask("hold", by="ann")
    desk.answer(desk.last)
    return desk


def refusal(desk: Desk) -> str:
    entry = desk.audit[-1]
    assert entry.kind == "request_refused"
    return entry.summary


def test_a_second_hold_is_told_since_when_there_is_one_and_changes_nothing() -> None:
    desk = held()
    desk.ask("hold", by="bob", number=2)

    assert refusal(desk) == (
        "hold by bob refused: prices is on hold already, since 2026-01-01 00:00:20 UTC by ann (ann asked)"
    )
    assert desk.actions == ["hold"]


def test_a_hold_that_has_begun_does_not_read_as_if_it_were_over() -> None:
    desk = held()
    begun = [entry.summary for entry in desk.audit if entry.kind == "incident_resolved"]
    desk.ask("release_hold", number=2)
    desk.answer(desk.last)
    ended = [entry.summary for entry in desk.audit if entry.kind == "incident_resolved"][-1]

    assert begun == ["resolved: learning is on hold until release-hold"]
    assert ended == "resolved: the end of the hold on learning is done"


def test_a_release_without_a_hold_is_told_that_nothing_is_held() -> None:
    desk = held()
    desk.ask("release_hold", number=2)
    desk.answer(desk.last)
    desk.ask("release_hold", number=3)

    assert refusal(desk) == "release_hold by ann refused: nothing is held: prices learns"
    assert desk.actions == ["hold", "release_hold"]


def test_who_releases_before_the_hold_is_answered_is_not_told_that_nothing_is_held() -> None:
    desk = Desk()
    desk.steady()
    desk.ask("hold")
    desk.ask("release_hold", number=2)
    for command in list(desk.commands):
        desk.answer(command)
    desk.wait()

    assert "request_refused" not in desk.kinds()


def test_a_person_s_hold_outlasts_a_policy_s_whichever_came_first() -> None:
    for first in ("person", "policy"):
        desk = held() if first == "person" else Desk()
        if first == "policy":
            desk.steady()
        bad = desk.alert("data_quality", ("label", "up"), ("source", "feed"), statistic="label.rate")
        desk.answer(desk.last)
        if first == "policy":
            desk.ask("hold", by="ann")
            desk.answer(desk.last)
        desk.resolve(bad)

        assert desk.actions == ["hold", "hold"], first
        assert "learning stays on hold, as person:ann asked" in desk.audit[-1].summary
