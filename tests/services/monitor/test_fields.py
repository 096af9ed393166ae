"""Faults of the data: which field, and which source it came from."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from shared.messages import Command, DeadLetter
from shared.service import Batch
from tests.services.monitor.changes import times_1000

Make = Callable[..., Any]


def refused(rows: int, source: str) -> list[DeadLetter]:
    """Rows of a source whose `load` is no number."""
    return [
        DeadLetter(
            topic="raw-data",
            partition=0,
            offset=i,
            reason="schema",
            detail="not a number",
            value=b"",
            field="load",
            pipeline="shop",
            source=source,
            service="ingest",
        )
        for i in range(rows)
    ]


def test_a_changed_unit_is_a_fault_of_that_field_and_resolves_by_itself(stream: Make) -> None:
    s = stream(warm=2000, delay=100)
    s.run(1000, change=times_1000, error=0.5)
    (row, alert) = s.alerts()[0]
    assert row <= 3100
    assert (alert.kind, alert.causes[0].kind, alert.causes[0].what) == ("data_quality", "feature", "price")
    assert (alert.causes[1].kind, alert.causes[1].what) == ("source", "till")
    assert "times 1000" in alert.summary
    s.run(1000)
    assert [(a.kind, a.state) for _, a in s.alerts()] == [("data_quality", "firing"), ("data_quality", "resolved")]


def test_wrong_answers_on_faulty_inputs_are_not_held_against_the_model(stream: Make) -> None:
    s = stream(warm=2000)
    s.run(1000, change=times_1000, error=0.9)
    assert {a.kind for _, a in s.alerts()} == {"data_quality"}


def test_only_the_source_at_fault_is_named(stream: Make) -> None:
    s = stream()
    s.run(2000, sources=("north", "south"))
    turn = iter(range(10_000))
    s.run(400, sources=("north", "south"), change=lambda row: times_1000(row) if next(turn) % 2 else row)
    ((_, alert),) = s.alerts(state="firing")
    assert [c.what for c in alert.causes] == ["price", "south"]


def test_a_frozen_sensor_a_lost_field_and_a_new_category_are_faults_of_their_fields(stream: Make) -> None:
    s = stream()
    s.run(2000)
    broken = {"load": 7.5, "price": None, "colour": "mauve"}
    s.run(200, change=lambda row: row | broken)
    found = {a.causes[0].what: a.evidence.statistic for _, a in s.alerts(state="firing")}
    assert found == {"load": "frozen.load", "price": "missing.price", "colour": "new_category.colour"}


def test_moved_inputs_alone_are_information(stream: Make) -> None:
    s = stream(warm=2000)
    s.run(1000, change=lambda row: row | {"load": row["load"] + 4})
    assert s.alerts() == []
    ((_, alert),) = s.alerts("data_drift")
    assert (alert.severity, alert.causes[0].what) == ("info", "load")


def test_refused_rows_of_one_field_are_a_fault_of_that_field(stream: Make) -> None:
    s = stream(warm=1000)
    s.take(s.monitor.on_dead_letters(Batch("dead-letters", 0, list(range(40)), refused(40, "north")), s.now))
    s.run(50)
    ((_, alert),) = s.alerts()
    assert (alert.kind, [c.what for c in alert.causes]) == ("data_quality", ["load", "north"])
    s.run(300)
    assert s.alerts()[-1][1].state == "resolved"


def test_refused_rows_are_over_after_as_many_others_in_however_large_batches_they_come(stream: Make) -> None:
    s = stream(warm=1000)
    s.take(s.monitor.on_dead_letters(Batch("dead-letters", 0, list(range(40)), refused(40, "north")), s.now))
    s.run(50)
    s.run(400, batch=400)

    assert [alert.state for _, alert in s.alerts("data_quality")] == ["firing", "resolved"]


def test_rows_that_are_refused_blame_no_source_whose_other_rows_pass(stream: Make) -> None:
    s = stream(warm=1000)
    s.take(s.monitor.on_dead_letters(Batch("dead-letters", 0, list(range(40)), refused(40, "till")), s.now))
    s.run(50)
    ((_, alert),) = s.alerts()
    assert "mostly from till" in alert.summary
    assert [(c.kind, c.what) for c in alert.causes] == [("feature", "load")]


def test_the_fault_of_a_file_is_over_when_no_more_rows_of_it_come(stream: Make) -> None:
    s = stream(warm=2000)
    s.run(300, sources=("file:wrong.csv",), change=times_1000)
    ((_, alert),) = s.alerts()
    assert [c.what for c in alert.causes] == ["price", "file:wrong.csv"]
    s.run(400, sources=("file:good.csv",))
    (_, ended) = s.alerts()[-1]
    assert (ended.state, ended.summary) == ("resolved", "price: no more rows come from file:wrong.csv")
    s.run(600, sources=("file:good.csv",))
    assert len(s.alerts()) == 2


def test_a_fault_of_a_feed_that_only_pauses_is_not_over(stream: Make) -> None:
    s = stream(warm=2000)
    s.run(300, sources=("feed",), change=times_1000)
    s.run(150)
    s.run(50, sources=("feed",), change=times_1000)
    s.run(1000)
    assert [a.state for _, a in s.alerts("data_quality") if a.causes[0].what == "price"] == ["firing"]


def test_a_file_that_ends_is_no_silent_source(stream: Make) -> None:
    s = stream()
    s.run(1500, sources=("file:may.csv", "till", "till"))
    s.run(1000, sources=("till",))
    assert s.alerts() == []


def test_a_wrong_file_is_named_however_many_files_came_before_it(stream: Make) -> None:
    s = stream(warm=2000)
    for number in range(200):
        s.run(100, sources=(f"file:{number}.csv",))
    s.run(100, sources=("file:wrong.csv",), change=times_1000)
    ((_, alert),) = s.alerts()
    assert [c.what for c in alert.causes] == ["price", "file:wrong.csv"]


def test_a_source_that_stops_is_named_and_welcomed_back(stream: Make) -> None:
    s = stream()
    s.run(1500, sources=("north", "south", "south"))
    s.run(1000, sources=("south",))
    ((_, alert),) = s.alerts()
    assert (alert.kind, alert.causes[0].what) == ("data_quality", "north")
    s.run(100, sources=("north", "south"))
    assert s.alerts()[-1][1].state == "resolved"


def test_a_quarantine_shows_in_the_data_figures(stream: Make) -> None:
    s = stream(warm=500)
    order = Command(
        id="c",
        incident="i",
        pipeline="shop",
        action="quarantine_source",
        arguments={"source": "till", "fields": ["price"]},
        reason="",
        issued_by="policy:p@1",
        at=s.now,
        deadline=s.now,
    )
    s.take(s.monitor.on_commands(Batch("commands", 0, [0], [order]), s.now))
    s.run(500)
    assert s.metrics("data")[-1].values["quarantined.price"] == 1.0
