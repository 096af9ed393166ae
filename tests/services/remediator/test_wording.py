"""What people read of an incident: plain, exact, with figures that can be read."""

from __future__ import annotations

import msgspec

from services.remediator.core.ending import done_in
from services.remediator.core.incidents import KEPT_MOMENTS
from tests.support.desk import Desk


def refused_thrice() -> Desk:
    desk = Desk()
    desk.steady()
    desk.alert("concept_drift", ("model", "1"), severity="critical")
    for _ in range(3):
        desk.answer(desk.last, "failed", detail="not better")
        for _ in range(4):
            desk.pass_rows(0.5)
    desk.wait()
    return desk


def test_who_is_called_reads_why_what_was_tried_and_what_to_do() -> None:
    (message,) = refused_thrice().told

    assert message == (
        "prices needs a person: concept_drift at model:1. Policy retrain-on-concept-drift has nothing more to try: no "
        "earlier version measured better since the change. Tried: retraining, which made no version (3 times). See "
        "what changed; to train at once: `homeostat models retrain prices`."
    )


def test_what_is_told_of_a_good_end_names_versions_and_what_was_taken_back() -> None:
    desk = Desk()
    desk.steady()
    loss = desk.alert("concept_drift", ("model", "1"), severity="critical")
    desk.retrained(desk.last, "2")
    desk.pass_rows(0.4, version="2")
    desk.pass_rows(0.4, version="2")
    desk.model("1", command=desk.last.id)
    desk.answer(desk.last, version="1")
    desk.pass_rows(0.5)
    desk.pass_rows(0.5)
    desk.retrained(desk.last, "3")
    desk.resolve(loss)
    for _ in range(12):
        desk.pass_rows(0.88, version="3")

    assert desk.told == [
        "prices: healed itself (concept_drift at model:1). Done: retraining (version 2), which did not help enough and "
        "was taken back; retraining (version 3). The retraining (version 3) worked: accuracy is 0.88 over 500 rows, "
        "wanted at least 0.75."
    ]
    story = [str(e.body["postmortem"]) for e in desk.audit if "postmortem" in e.body][-1]
    assert (
        "| retraining (version 2) | policy:retrain-on-concept-drift@default | accuracy ≥ 0.75 | 0.4 over 500" in story
    )
    assert "Its 3 actions took 6 s of work." in story


def test_a_large_error_is_told_without_an_exponent() -> None:
    desk = Desk(
        policies=[{"name": "p", "when": {}, "ladder": [{"action": "retrain", "metric": "performance.accuracy"}]}]
    )
    desk.steady(accuracy=91_234.5)
    desk.alert("concept_drift", ("model", "1"), severity="critical", value=1_000.0, baseline=91_234.5)
    desk.retrained(desk.last, "2")
    for _ in range(4):
        desk.pass_rows(48_210.4, version="2")

    assert any("accuracy is 48,210 over 500 rows, wanted at least 46,120" in e.summary for e in desk.audit)


def test_only_what_an_undo_followed_is_called_taken_back() -> None:
    desk = Desk()
    desk.steady()
    desk.alert("concept_drift", ("model", "1"), severity="critical", since_row=1000)
    desk.retrained(desk.last, "2")
    first = desk.incident.actions[0]
    undo = msgspec.structs.replace(first, command="undo", name="rollback", role="undo", outcome="verified")
    tried = msgspec.structs.replace(first, outcome="not_verified", version="2")
    again = msgspec.structs.replace(first, command="again", outcome="unknown", version="3")

    told = done_in(msgspec.structs.replace(desk.incident, actions=(tried, undo, again)))

    assert told.endswith("retraining (version 3), which is not known to have helped")
    assert "retraining (version 2), which did not help enough and was taken back" in told


def test_what_an_incident_began_with_is_told_though_another_cause_leads_by_now() -> None:
    desk = Desk(restarts=True)
    desk.steady()
    desk.alert("concept_drift", ("model", "1"), severity="critical", since_row=1000)
    desk.alert("data_quality", ("feature", "price"), severity="critical", since_row=1000, statistic="unit")
    desk.wait()

    (message,) = desk.told
    assert "data_quality at feature:price; it began with: concept_drift at model:1." in message
    story = [str(e.body["postmortem"]) for e in desk.audit if "postmortem" in e.body][-1]
    assert "It began with: Concept_drift at model:1. Data_quality at feature:price." in story


def test_the_first_line_of_a_story_is_kept_however_long_it_gets() -> None:
    desk = Desk()
    desk.steady()
    first = desk.alert("concept_drift", ("model", "1"), severity="critical", since_row=1000)
    for number in range(400):
        desk.ask("acknowledge", number=number, incident=desk.incident.id)

    assert desk.incident.timeline[0].summary == first.summary
    assert len(desk.incident.timeline) == KEPT_MOMENTS


def test_who_waits_for_what_is_taken_back_reads_what_that_is() -> None:
    desk = Desk()
    desk.steady()
    desk.alert("concept_drift", ("model", "1"), severity="critical")
    desk.retrained(desk.last, "2")
    desk.pass_rows(0.4, version="2")
    desk.pass_rows(0.4, version="2")
    first = desk.incident
    assert (first.state, first.actions[-1].name) == ("undoing", "rollback")
    desk.ask("rollback")

    assert desk.incidents[-1].why == f"the retraining (version 2) of {first.id} is being taken back"
