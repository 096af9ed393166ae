"""The demo's judgement, on hand-made ledgers."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime

import msgspec
import pytest

from homeostat.demo.further import further
from homeostat.demo.others import Others
from homeostat.demo.outcome import Moment, all_well, healings_of, remedies_of, share
from homeostat.demo.story import Fault, Story, faults_of
from homeostat.demo.watcher import Seen
from shared.messages import Alert, AuditEntry, Evidence, Window

NOW = datetime(2026, 1, 1, tzinfo=UTC)
FAULT = Fault("unit-change", 2000, 2500, "a unit changed")
STORY = Story(rows=5000, warm_up=500, label_lag=10, field="price", factor=1000.0, faults=(FAULT,))
BEGUN = {"unit-change": Moment(100.0, 2000)}


def entry(
    kind: str, second: float, row: int, incident: str = "i1", action: str = "quarantine_source", ending: str = "healed"
) -> Seen:
    body: dict[str, object] = {"action": action}
    if kind in ("incident_opened", "triaged"):
        body["alert"] = f"alert-of-{incident}"
    if kind == "incident_resolved":
        body = {"ending": ending}
    message = AuditEntry(
        sequence=0, at=NOW, kind=kind, pipeline="p", incident=incident, summary=kind, body=body,
        refs=(), previous="", hash="",
    )  # fmt: skip
    return Seen(message, second, row)


def alert(second: float, row: int, first_row: int, pipeline: str = "p", name: str = "alert-of-i1") -> Seen:
    window = Window(index=0, first_row=first_row, last_row=row, rows=50)
    evidence = Evidence(statistic="x", value=1, threshold=1, window=window, samples=50)
    message = Alert(
        id=name, fingerprint="f", pipeline=pipeline, kind="data_quality", severity="warning", state="firing", since=NOW,
        at=NOW, summary="wrong unit", evidence=evidence,
    )  # fmt: skip
    return Seen(message, second, row)


HEALED = [
    alert(101.0, 2060, 2000),
    entry("incident_opened", 101.0, 2060),
    entry("command_issued", 101.5, 2070),
    entry("verified", 108.0, 2700),
    entry("incident_resolved", 110.0, 2800),
]


def test_what_befell_homeostat_itself_is_no_trouble_of_the_pipeline() -> None:
    strained = [alert(101.0, 2060, 7), entry("incident_opened", 101.0, 2060, "i9"), entry("command_issued", 101, 2060)]
    itself = [replace(seen, message=msgspec.structs.replace(seen.message, pipeline="_system")) for seen in strained]

    assert remedies_of([HEALED[0], *itself, *HEALED[1:]]) == remedies_of(HEALED)


def answers(during: float, rows: int = 4000) -> dict[int, bool]:
    """Right in nine of ten rows, but in `during` of the rows from 2,000 to 2,700."""
    return {row: row % 10 < (10 * during if 2000 <= row < 2700 else 9) for row in range(500, rows)}


def test_a_fault_that_was_answered_verified_and_won_back_counts_as_healed() -> None:
    (line,) = healings_of(STORY, remedies_of(HEALED), BEGUN, answers(0.5), answers(0.5))

    assert (line.outcome, all_well([line], STORY)) == ("healed", True), line.why
    assert line.remedy is not None
    assert (line.remedy.noticed.row, line.remedy.acted.row) == (2060, 2070)
    assert (line.before, line.during, line.after) == (0.9, 0.5, 0.9)


def test_training_without_trouble_heals_nothing() -> None:
    upkeep = entry("command_issued", 90.0, 1500, "i0", "retrain")
    upkeep.message.body["diagnosis"] = "upkeep"  # type: ignore[union-attr]

    assert [remedy.incident for remedy in remedies_of([upkeep, *HEALED])] == ["i1"]


def test_a_fault_whose_incident_does_not_end_did_not_heal() -> None:
    (line,) = healings_of(STORY, remedies_of(HEALED[:4]), BEGUN, answers(0.5, rows=8000), {})

    assert (line.outcome, line.why, all_well([line], STORY)) == ("failed", "its incident is open", False)


def test_an_alert_that_ends_though_no_action_was_seen_to_help_has_passed_by_itself() -> None:
    passed = [*HEALED[:3], entry("incident_resolved", 110.0, 2800, ending="passed")]

    (line,) = healings_of(STORY, remedies_of(passed), BEGUN, answers(0.5), answers(0.5))

    assert (line.outcome, all_well([line], STORY)) == ("passed", True)
    assert line.why == "passed by itself: quarantine_source was not verified"
    assert line.after == 0.9


def test_a_verified_quarantine_whose_performance_is_not_back_is_not_called_healed() -> None:
    unrestored = [*HEALED[:4], entry("incident_resolved", 110.0, 2800, ending="unrestored")]

    (line,) = healings_of(STORY, remedies_of(unrestored), BEGUN, answers(0.5), answers(0.5))

    assert (line.outcome, line.why) == ("passed", "the alert has ended, but performance is not seen to be back")
    assert all_well([line], STORY), "the untouched model is no better"


def test_what_was_verified_stays_healed_when_its_incident_comes_back_and_passes() -> None:
    again = [*HEALED, entry("triaged", 120.0, 3000), entry("incident_resolved", 121.0, 3100, ending="passed")]

    (line,) = healings_of(STORY, remedies_of(again), BEGUN, answers(0.5), answers(0.5))

    assert line.outcome == "healed"


@pytest.mark.parametrize(("rows", "after", "outcome"), [(2899, None, "undecided"), (2900, 0.9, "healed")])
def test_accuracy_after_is_told_of_at_least_two_hundred_rows(rows: int, after: float | None, outcome: str) -> None:
    (line,) = healings_of(STORY, remedies_of(HEALED), BEGUN, answers(0.5, rows=rows), answers(0.5))

    assert (line.after, line.outcome) == (after, outcome)


def drift(*kinds: str) -> list[Seen]:
    begun = [alert(120.0, 3060, 3000, name="alert-of-i2"), entry("incident_opened", 120.0, 3060, "i2", "retrain")]
    return HEALED + begun + [entry(kind, 121.0, 3100, "i2", "retrain") for kind in ("command_issued", *kinds)]


def test_a_drift_on_which_there_was_no_time_for_a_verdict_is_not_yet_decided_and_no_failure() -> None:
    lines = healings_of(STORY, remedies_of(drift()), BEGUN, answers(0.5), answers(0.5))

    assert [(line.fault, line.outcome) for line in lines] == [("unit-change", "healed"), ("drift", "undecided")]
    assert all_well(lines, STORY)


@pytest.mark.parametrize(("kinds", "rows"), [(("escalated",), 4000), ((), 9000)])
def test_a_drift_that_was_not_mended_in_good_time_is_a_failure(kinds: tuple[str, ...], rows: int) -> None:
    right = answers(0.5, rows=rows)

    lines = healings_of(STORY, remedies_of(drift(*kinds)), BEGUN, right, right)

    assert [(line.fault, line.outcome) for line in lines] == [("unit-change", "healed"), ("drift", "failed")]
    assert not all_well(lines, STORY)


def test_a_fault_that_was_put_in_and_is_not_yet_decided_did_not_heal() -> None:
    (line,) = healings_of(STORY, remedies_of(HEALED[:3]), BEGUN, answers(0.5), {})

    assert (line.outcome, all_well([line], STORY)) == ("undecided", False)


def test_a_fault_that_took_hold_after_the_last_row_is_said_to_have_come_too_late_and_did_not_heal() -> None:
    (line,) = healings_of(STORY, [], {"unit-change": Moment(100.0, 4000)}, answers(0.5), {})

    assert line.why == "not yet decided: it began after the last row; a lower --speed leaves time"
    assert not all_well([line], STORY)


def test_a_fault_that_never_began_did_not_heal() -> None:
    assert not all_well([], STORY)


def test_accuracy_that_does_not_come_back_did_not_heal() -> None:
    low = {row: row % 10 < (9 if row < 2000 else 5) for row in range(500, 4000)}

    (line,) = healings_of(STORY, remedies_of(HEALED), BEGUN, low, answers(0.5))

    assert line.outcome == "failed"
    assert line.why == "accuracy 50.0% after; static 90.0%"
    assert (line.after, line.static_after) == (0.5, 0.9), "the verdict's figures are the table's"


def test_accuracy_that_is_back_at_what_it_was_before_healed_though_an_old_model_does_better_by_now() -> None:
    dip = {row: row % 10 < (5 if 2000 <= row < 2300 else 8) for row in range(500, 4000)}

    (line,) = healings_of(STORY, remedies_of(HEALED), BEGUN, dip, dict.fromkeys(dip, True))

    assert (line.outcome, line.why, line.static_after) == ("healed", "healed", 1.0)


MADE = {"2": ("i0", 90.0), "3": ("i2", 105.0), "4": ("i1", 106.0)}
"""Live before the fault; for another incident after it began; for the fault's own."""


@pytest.mark.parametrize(("version", "outcome"), [("2", "failed"), ("3", "healed"), ("4", "failed"), ("", "failed")])
def test_what_another_incidents_version_answers_is_not_held_against_a_fault(version: str, outcome: str) -> None:
    low = {row: row % 10 < (9 if row < 2000 else 5) for row in range(500, 4000)}
    others = Others(dict.fromkeys(range(2700, 4000), version), MADE)

    (line,) = healings_of(STORY, remedies_of(HEALED), BEGUN, low, answers(0.5), others)

    assert (line.outcome, "version 3" in line.why) == (outcome, version == "3"), line.why


def test_the_rows_of_its_own_versions_are_held_against_a_fault_where_another_answered_others() -> None:
    low = {row: row % 10 < (9 if row < 2000 or row >= 3300 else 5) for row in range(500, 4000)}
    others = Others({row: "3" if row >= 3300 else "2" for row in range(2000, 4000)}, MADE)

    (line,) = healings_of(STORY, remedies_of(HEALED), BEGUN, low, answers(0.5), others)

    assert line.outcome == "failed"
    assert line.why == "accuracy 50.0% after, in the rows that no other incident's version answered; static 90.0%"


def test_another_incidents_version_may_make_good_what_a_fault_left() -> None:
    low = {row: row % 10 < (9 if row < 2000 or row >= 3000 else 8) for row in range(500, 4000)}
    others = Others({row: "3" if row >= 3000 else "2" for row in range(2000, 4000)}, MADE)
    static = {row: row % 20 < 17 for row in low}

    (line,) = healings_of(STORY, remedies_of(HEALED), BEGUN, low, static, others)

    assert (line.outcome, line.why) == ("healed", "healed"), "no worse over all the rows after"


def test_a_fault_that_nobody_answered_says_which_action_was_missing() -> None:
    other = [entry("command_issued", 101.0, 2050, action="retrain")]

    lines = healings_of(STORY, remedies_of(other), BEGUN, answers(0.5), {})

    assert [(line.fault, line.outcome) for line in lines] == [("unit-change", "failed"), ("drift", "undecided")]
    assert not all_well(lines, STORY)
    assert lines[0].why == "no quarantine_source was ordered"


def test_the_story_changes_the_field_in_its_stretch_only() -> None:
    row = {"id": "1", "price": 2.0}

    sent = [STORY.row(index, row)["price"] for index in (1999, 2000, 2499, 2500)]

    assert sent == [2.0, 2000.0, 2000.0, 2.0]
    assert row["price"] == 2.0


def test_a_story_may_have_one_fault_alone() -> None:
    assert [fault.name for fault in faults_of(("bad-release",))] == ["bad-release"]


def test_a_share_of_nothing_is_unknown() -> None:
    assert share({}, 0, 10) is None


def test_an_alert_without_a_line_is_told_below_the_table_with_what_was_done() -> None:
    rolled_back = [
        alert(130.0, 3500, 3400, name="alert-of-i3"),
        entry("incident_opened", 130.0, 3500, "i3", "rollback"),
        entry("command_issued", 130.0, 3500, "i3", "rollback"),
    ]
    events = [alert(100.5, 2060, 1500, name="another"), *HEALED, *rolled_back]
    remedies = remedies_of(events)
    lines = healings_of(STORY, remedies, BEGUN, answers(0.5), answers(0.5))

    said = further(events, remedies, lines)

    assert said.startswith("further alerts, without a line in the table: row 1,500, row 3,400 (rollback); where no")
    assert further(HEALED, remedies_of(HEALED), lines) == ""


def test_a_remedy_is_dated_by_the_alert_it_answers_though_another_came_with_it() -> None:
    both = [HEALED[0], alert(101.0, 2060, 1500, name="another"), *HEALED[1:]]

    assert remedies_of(both) == remedies_of(HEALED)
