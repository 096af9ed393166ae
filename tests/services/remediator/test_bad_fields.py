"""Rows of the healing matrix about data: a field or a source goes wrong, is withheld and given back."""

from __future__ import annotations

import msgspec
import pytest

from shared.messages import Alert
from tests.support.desk import SPECIFICATION, Desk


def test_a_field_in_another_unit_is_quarantined_then_released_and_performance_is_seen_to_return() -> None:
    desk = Desk()
    desk.steady()
    bad = desk.alert("data_quality", ("feature", "price"), ("source", "feed"), statistic="unit.price", since_row=1000)
    assert desk.actions == ["quarantine_source"]
    assert desk.last.arguments["source"] == "feed"
    assert desk.last.arguments["fields"] == ["price"]
    assert desk.last.arguments["since"] == {"0": 1000, "1": 7}
    desk.answer(desk.last)

    desk.pass_rows(0.7)
    loss = desk.alert("concept_drift", ("model", "1"), severity="critical", value=0.7, since_row=1000)
    desk.pass_rows(0.7)
    assert desk.actions == ["quarantine_source"], "no retrain on bad data"

    desk.resolve(bad)
    assert desk.actions == ["quarantine_source", "release_source"]
    desk.answer(desk.last)
    desk.pass_rows(0.8)
    desk.pass_rows(0.9)
    assert desk.state == "verifying"
    desk.pass_rows(0.9)
    desk.resolve(loss)
    assert desk.state == "resolved"
    assert desk.actions == ["quarantine_source", "release_source"]
    assert len([entry for entry in desk.audit if entry.kind == "verified"]) == 2


def test_what_leads_when_the_field_is_right_and_the_loss_stays_is_named_in_the_ledger() -> None:
    desk = Desk()
    desk.steady()
    bad = desk.alert("data_quality", ("feature", "price"), ("source", "feed"), statistic="unit.price", since_row=1000)
    desk.answer(desk.last)
    loss = desk.alert("concept_drift", ("model", "1"), severity="critical", value=0.7, since_row=1000)
    desk.resolve(bad)
    desk.answer(desk.last)

    for _ in range(3):
        desk.pass_rows(0.7)

    led = [entry for entry in desk.audit if entry.kind == "triaged"][-1]
    assert "now concept_drift" in led.summary
    assert led.body["alert"] == loss.id


def test_a_derived_feature_is_quarantined_by_the_fields_it_is_made_of() -> None:
    desk = Desk()
    desk.alert("data_quality", ("feature", "ratio"), ("source", "feed"), statistic="range.ratio")
    assert desk.last.arguments["fields"] == ["demand", "price"]


def test_every_source_that_sends_the_field_wrong_is_quarantined_and_released() -> None:
    desk = Desk()
    desk.steady()
    bad = desk.alert("data_quality", ("feature", "price"), ("source", "a"), ("source", "b"), statistic="unit.price")
    assert [c.arguments["source"] for c in desk.commands] == ["a", "b"]
    for command in list(desk.commands):
        desk.answer(command)
    desk.again(bad, causes=(*bad.causes, bad.causes[-1].__class__(kind="source", what="c", score=0.3)))
    assert [c.arguments["source"] for c in desk.commands] == ["a", "b", "c"]
    desk.answer(desk.last)
    desk.resolve(bad)
    released = [c.arguments["source"] for c in desk.commands if c.action == "release_source"]
    assert sorted(map(str, released)) == ["a", "b", "c"]


def test_a_loss_noticed_before_its_bad_field_is_the_same_incident_and_its_retrain_is_taken_back() -> None:
    desk = Desk()
    desk.steady()
    desk.pass_rows(0.6)
    desk.alert("concept_drift", ("model", "1"), severity="critical", since_row=1000)
    assert desk.actions == ["retrain"]
    retrain = desk.last
    desk.alert("data_quality", ("feature", "price"), ("source", "feed"), statistic="unit.price", since_row=1000)
    assert desk.actions == ["retrain", "quarantine_source"]
    assert desk.incident.diagnosis.name == "bad_field"
    desk.retrained(retrain, "2")
    assert desk.actions == ["retrain", "quarantine_source", "rollback"]
    assert desk.last.arguments == {"to_version": "1"}


def test_a_retrain_on_rows_from_before_the_bad_field_is_kept() -> None:
    desk = Desk()
    desk.steady()
    desk.pass_rows(0.6)
    desk.alert("concept_drift", ("model", "1"), severity="critical", since_row=1000)
    desk.retrained(desk.last, "2")

    desk.alert("data_quality", ("feature", "price"), ("source", "feed"), statistic="unit.price", since_row=1251)

    assert desk.actions == ["retrain", "quarantine_source"]


def test_a_field_that_goes_bad_after_a_concept_changed_is_trouble_of_its_own() -> None:
    desk = Desk()
    desk.steady()
    desk.pass_rows(0.6)
    desk.alert("concept_drift", ("model", "1"), severity="critical", since_row=1000)

    desk.alert("data_quality", ("feature", "price"), ("source", "feed"), statistic="unit.price", since_row=1900)

    assert desk.actions == ["retrain", "quarantine_source"]
    assert sorted(i.diagnosis.name for i in desk.incidents) == ["bad_field", "concept_drift"]


def test_a_silent_source_is_told_of_and_ends_by_itself() -> None:
    desk = Desk()
    silent = desk.alert("data_quality", ("source", "feed"), statistic="silent_rows")
    assert desk.actions == []
    assert len(desk.told) == 1
    desk.resolve(silent)
    desk.wait(3600)
    assert desk.state == "resolved"
    assert len(desk.told) == 1


def test_many_fields_that_move_together_are_told_of_and_none_is_quarantined() -> None:
    desk = Desk()
    desk.steady()
    desk.alert("data_drift", ("feature", "day"), ("feature", "price"), statistic="psi.day")
    assert desk.actions == []
    assert len(desk.told) == 1


def test_a_field_that_is_wrong_again_right_after_its_release_is_quarantined_again() -> None:
    desk = Desk()
    desk.steady()
    bad = desk.alert("data_quality", ("feature", "price"), ("source", "feed"))
    desk.answer(desk.last)
    desk.resolve(bad)
    release = desk.last
    desk.alert("data_quality", ("feature", "price"), ("source", "feed"), firing=2)
    desk.answer(release)
    desk.pass_rows(0.9)
    assert desk.actions == ["quarantine_source", "release_source", "quarantine_source"]
    assert desk.incident.reopened == 1


def test_a_consequence_that_comes_alone_after_its_cause_is_over_is_an_incident_of_its_own() -> None:
    desk = Desk()
    desk.steady()
    bad = desk.alert("data_quality", ("feature", "price"), ("source", "feed"), since_row=1000)
    desk.answer(desk.last)
    loss = desk.alert("concept_drift", ("model", "1"), severity="critical", since_row=1000)
    desk.resolve(bad)
    desk.answer(desk.last)
    desk.pass_rows(0.9)
    desk.pass_rows(0.9, rows=500)
    desk.resolve(loss)
    assert desk.state == "resolved"
    desk.rows += 200
    desk.alert("concept_drift", ("model", "1"), severity="critical", firing=2, since_row=desk.rows)
    assert [i.diagnosis.name for i in desk.incidents] == ["bad_field", "concept_drift"]
    assert desk.actions == ["quarantine_source", "release_source", "retrain"]


def test_a_loss_beside_rows_that_were_only_refused_is_trouble_of_its_own() -> None:
    desk = Desk()
    desk.steady()
    refused = desk.alert(
        "data_quality", ("feature", "price"), ("source", "feed"), statistic="dead_letters.price", since_row=1000
    )
    desk.answer(desk.last)

    loss = desk.alert("concept_drift", ("model", "1"), severity="critical", since_row=1100)
    desk.resolve(refused)
    desk.answer(desk.last)
    desk.pass_rows(0.6)
    desk.pass_rows(0.6, rows=500)

    assert [i.diagnosis.name for i in desk.incidents] == ["refused_rows", "concept_drift"]
    assert loss.fingerprint not in desk.incidents[0].alerts
    assert desk.actions == ["quarantine_source", "release_source", "retrain"]


def test_nothing_is_withheld_from_rows_that_pass_because_others_of_their_source_are_refused() -> None:
    desk = Desk()
    desk.alert("data_quality", ("feature", "price"), statistic="dead_letters.price")

    assert desk.actions == []
    assert desk.state == "escalated"
    assert "most rows of the same source pass, and would lose price" in desk.incident.why


@pytest.mark.parametrize("field", ["id", "up"])
def test_refused_ids_and_labels_withhold_nothing(field: str) -> None:
    desk = Desk()
    desk.alert("data_quality", ("feature", field), ("source", "feed"), statistic=f"dead_letters.{field}")

    assert desk.actions == []
    assert f"{field} is no field that can be withheld" in desk.incident.why


def test_a_person_lifts_a_quarantine_by_its_source_alone() -> None:
    desk = Desk()
    desk.steady()
    desk.alert("data_quality", ("feature", "price"), ("source", "feed"), statistic="unit.price", since_row=1000)
    desk.answer(desk.last)
    assert "quarantine_source, price from feed" in desk.audit[-2].summary

    desk.ask("release_source", source="feed")

    assert (desk.last.action, desk.last.issued_by) == ("release_source", "person:ann")
    assert desk.last.arguments == {"source": "feed", "fields": ["price"]}


def test_refused_rows_that_turn_out_to_be_a_bad_field_explain_a_loss_after_all() -> None:
    desk = Desk()
    desk.steady()
    refused = desk.alert(
        "data_quality", ("feature", "price"), ("source", "feed"), statistic="dead_letters.price", since_row=1000
    )
    evidence = msgspec.structs.replace(refused.evidence, statistic="unit.price")
    desk.again(refused, evidence=evidence)

    desk.alert("concept_drift", ("model", "1"), severity="critical", since_row=1000)

    assert desk.incident.diagnosis.name == "bad_field"
    assert desk.actions == ["quarantine_source"]


def test_of_sources_that_are_not_told_apart_nothing_is_withheld_and_a_person_is_told_what_to_do() -> None:
    desk = Desk()
    desk.alert("data_quality", ("feature", "price"), ("source", "several"), statistic="unit.price")

    assert desk.actions == []
    assert desk.state == "escalated"
    assert "release PIPELINE several --field FIELD --accept" in desk.incident.why


def test_a_source_that_can_be_told_apart_is_withheld_beside_those_that_cannot() -> None:
    desk = Desk()
    desk.alert("data_quality", ("feature", "price"), ("source", "several"), ("source", "a"), statistic="unit.price")

    assert [c.arguments["source"] for c in desk.commands] == ["a"]


def test_nobody_withholds_what_is_no_source() -> None:
    desk = Desk()

    desk.ask("quarantine_source", source="several", fields=["price"])

    assert desk.actions == []
    assert "nothing can be withheld of it" in desk.audit[-1].summary


def withheld_of_two(desk: Desk) -> Alert:
    """A field that two sources send wrong, withheld of both; its alert."""
    desk.steady()
    bad = desk.alert("data_quality", ("feature", "price"), ("source", "a"), ("source", "b"), statistic="unit.price")
    for command in list(desk.commands):
        desk.answer(command)
    return bad


def test_each_source_is_released_when_it_is_at_fault_no_longer_and_the_rest_with_the_alert() -> None:
    desk = Desk()
    bad = withheld_of_two(desk)
    field, a, b = bad.causes

    desk.again(bad, causes=(field, b))
    assert released(desk) == ["a"]
    desk.answer(desk.last)
    assert desk.state == "verifying"

    desk.again(bad, causes=(field, b, a))
    assert (desk.last.action, desk.last.arguments["source"]) == ("quarantine_source", "a")
    desk.answer(desk.last)
    desk.resolve(bad)

    assert sorted(released(desk)) == ["a", "a", "b"]


def test_a_source_released_before_the_end_is_not_released_again_with_it() -> None:
    desk = Desk()
    bad = withheld_of_two(desk)
    field, _, b = bad.causes
    desk.again(bad, causes=(field, b))
    desk.answer(desk.last)

    desk.resolve(bad)

    assert released(desk) == ["a", "b"]


def test_a_field_that_no_input_is_made_of_is_not_withheld_a_person_is_told() -> None:
    desk = Desk()
    desk.define({**SPECIFICATION, "features": {"day": "day"}})

    desk.alert("data_quality", ("feature", "price"), ("source", "feed"), statistic="frozen.price")

    assert desk.actions == []
    (message,) = desk.told
    assert "no input of the model is made of price" in message


def released(desk: Desk) -> list[str]:
    return [str(c.arguments["source"]) for c in desk.commands if c.action == "release_source"]


def test_an_end_that_is_told_again_is_taken_once() -> None:
    desk = Desk()
    desk.steady()
    bad = desk.alert("data_quality", ("feature", "price"), ("source", "feed"), statistic="unit.price", since_row=1000)
    quarantine = desk.last
    desk.answer(quarantine)
    desk.resolve(bad)
    desk.answer(desk.last)
    known = desk.remediator._state.knowledge["prices"]
    entries = len(desk.audit)

    desk.answer(quarantine)

    assert desk.last.action == "release_source"
    assert desk.remediator._state.knowledge["prices"] == known
    assert len(desk.audit) == entries


def test_what_must_come_back_after_a_quarantine_is_what_was_before_not_what_a_later_alert_compares_with() -> None:
    desk = Desk()
    desk.steady(accuracy=0.9)
    bad = desk.alert("data_quality", ("feature", "price"), ("source", "feed"), statistic="unit.price", since_row=1000)
    desk.answer(desk.last)
    desk.pass_rows(0.6)
    desk.alert("concept_drift", ("model", "1"), severity="critical", value=0.4, baseline=0.6, since_row=1100)
    desk.resolve(bad)

    assert desk.last.action == "release_source"
    assert desk.last.expects is not None
    assert desk.last.expects.bound == 0.65, "half of the way from 0.4 back to 0.9"
