"""While an effect is measured, the ledger tells how far that is."""

from __future__ import annotations

from tests.support.desk import Desk


def retraining(rows: int = 500) -> Desk:
    """A desk at which a retraining was just done, to be measured over so many rows."""
    rung = {"action": "retrain", "verify_rows": rows}
    desk = Desk(policies=[{"name": "drift", "when": {"kinds": ["concept_drift"]}, "ladder": [rung]}])
    desk.steady()
    desk.alert("concept_drift", ("model", "1"), severity="critical", since_row=1000)
    desk.retrained(desk.last, "2")
    return desk


def told(desk: Desk) -> list[object]:
    return [entry.body["rows"] for entry in desk.audit if entry.kind == "measuring"]


def test_each_window_that_counts_is_told_until_the_verdict() -> None:
    desk = retraining()
    desk.wait()
    before = told(desk)
    desk.pass_rows(0.8, version="2")
    desk.wait()
    during, summary = told(desk), desk.audit[-1].summary
    desk.pass_rows(0.8, version="2")

    assert (before, during, told(desk)) == ([], [250], [250])
    assert summary.startswith("the retraining (version 2) is being measured: accuracy is 0.8 over 250 rows, wanted at")
    assert desk.kinds()[-2:] == ["verified", "incident_resolved"]


def test_a_long_measuring_is_told_at_each_tenth_not_at_each_window() -> None:
    desk = retraining(rows=5000)
    for _ in range(20):
        desk.pass_rows(0.8, version="2")

    assert told(desk) == [500, 1000, 1500, 2000, 2500, 3000, 3500, 4000, 4500]


def test_rows_of_another_version_do_not_count() -> None:
    desk = retraining()
    desk.pass_rows(0.8, version="1")

    assert told(desk) == []


def test_an_alert_that_has_to_end_is_not_counted_in_rows() -> None:
    desk = Desk()
    desk.steady()
    desk.alert("service_down", ("service", "trainer"), severity="critical")
    desk.answer(desk.last)
    desk.pass_rows(0.8)
    desk.pass_rows(0.8)

    assert (desk.state, told(desk)) == ("verifying", [])


def test_what_was_measured_never_reads_like_what_was_wanted() -> None:
    desk = retraining()
    for _ in range(2):
        desk.pass_rows(0.74999, version="2")

    missed = next(entry for entry in desk.audit if entry.kind == "not_verified")
    assert "accuracy is 0.74999 over 500 rows, wanted at least 0.75" in missed.summary
