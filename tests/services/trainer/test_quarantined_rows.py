"""Rows in quarantine: left out of what is trained, and of what is released."""

from __future__ import annotations

import msgspec

from services.trainer.core.orders import plain
from tests.services.trainer.bench import Bench, candidate


def test_quarantined_stretches_are_left_out_of_every_training_after_also_when_ended(bench: Bench) -> None:
    bench.with_champions(1)
    bench.command("quarantine_source", source="a", fields=["x"], since={"0": 50})
    bench.command("retrain")
    assert bench.jobs[0].arguments["rows"]["excluded"] == [[0, 50, None]]
    bench.end(bench.refuses())

    bench.command("release_source", source="a", fields=["x"], until={"0": 80})
    bench.command("retrain")

    assert bench.jobs[0].arguments["rows"]["excluded"] == [[0, 50, 80]]


def test_a_version_trained_on_rows_that_were_quarantined_meanwhile_is_not_released(bench: Bench) -> None:
    bench.with_champions(1)
    bench.command("retrain")
    bench.command("quarantine_source", source="a", fields=["x"], since={"0": 90})

    bench.end(bench.passes("model-2"))

    assert bench.published == []
    assert bench.results[-1].state == "failed"
    assert "quarantined while it was trained" in bench.results[-1].detail


def test_a_version_trained_on_rows_before_the_quarantine_is_released(bench: Bench) -> None:
    bench.with_champions(1)
    bench.command("retrain")
    bench.command("quarantine_source", source="a", fields=["x"], since={"0": 100})

    bench.end(bench.passes("model-2"))

    assert [each.version for each in bench.published] == ["2"]


def test_a_release_without_an_offset_ends_the_stretch_where_the_stream_was_last_seen(bench: Bench) -> None:
    bench.with_champions(1)
    bench.command("quarantine_source", source="a", fields=["x"], since={"0": 50})
    bench.metrics(120, positions={"0": 90})
    bench.command("release_source", source="a", fields=["x"])

    bench.command("retrain")

    assert bench.jobs[0].arguments["rows"]["excluded"] == [[0, 50, 90]]


def test_a_quarantine_that_ingest_refused_leaves_nothing_out(bench: Bench) -> None:
    bench.with_champions(1)
    bench.command("quarantine_source", name="q", source="a", fields=["x"], since={"0": 50})
    bench.ingest_refuses("q")

    bench.command("retrain")

    assert bench.jobs[0].arguments["rows"].get("excluded", []) == []


def test_a_release_of_all_fields_ends_what_was_withheld_field_by_field_and_one_of_others_nothing(bench: Bench) -> None:
    bench.with_champions(1)
    bench.command("quarantine_source", source="a", fields=["x"], since={"0": 50})
    bench.command("release_source", source="b", until={"0": 60})
    bench.command("release_source", source="a", until={"0": 80})

    bench.command("retrain")

    assert bench.jobs[0].arguments["rows"]["excluded"] == [[0, 50, 80]]


def test_a_stretch_is_its_sources_own_unless_an_input_carries_the_field_to_the_rows_of_others() -> None:
    schema = {"x": {"type": "number"}, "z": {"type": "number"}, "y": {"type": "boolean"}}
    features = {"x": "x", "trend": {"expression": "z - x_before", "window": 3}, "x_before": "z"}
    bench = Bench(schema=schema, features=features)
    bench.with_champions(1)
    bench.command("quarantine_source", source="a", fields=["x"], since={"0": 50})
    bench.command("quarantine_source", source="b", fields=["x", "z"], since={"0": 60})
    bench.command("quarantine_source", source="*", fields=["x"], since={"0": 70})

    bench.command("retrain")

    rows = bench.jobs[0].arguments["rows"]
    assert rows["excluded"] == [[0, 50, None], [0, 60, None], [0, 70, None]]
    assert rows["sources"] == ["a", "", ""]


def test_a_version_that_left_out_one_source_of_a_stretch_is_not_released_where_another_was_wrong_too() -> None:
    bench = Bench()
    bench.with_champions(1)
    bench.command("quarantine_source", source="a", fields=["x"], since={"0": 50})
    bench.command("retrain")
    trained = candidate("model-2", bench.spec)
    lineage = msgspec.structs.replace(trained.lineage, excluded_ranges=((0, 50, 100),), excluded_sources=("a",))
    made = msgspec.structs.replace(trained, lineage=lineage)
    bench.end({**bench.passes("model-2"), "candidate": plain(made)})
    assert [each.version for each in bench.published] == ["2"]

    bench.command("retrain")
    bench.command("quarantine_source", source="b", fields=["x"], since={"0": 50})
    bench.end({**bench.passes("model-3"), "candidate": plain(made)})

    assert [each.version for each in bench.published] == ["2"]


def test_a_release_that_comes_again_does_not_end_the_quarantine_that_followed_it(bench: Bench) -> None:
    bench.with_champions(1)
    bench.command("quarantine_source", name="q1", source="a", fields=["x"], since={"0": 50})
    bench.command("release_source", name="r1", source="a", fields=["x"], until={"0": 80})
    bench.command("quarantine_source", name="q2", source="a", fields=["x"], since={"0": 90})

    bench.restart()
    bench.command("release_source", name="r1", source="a", fields=["x"], until={"0": 80})

    bench.command("retrain")
    assert bench.jobs[0].arguments["rows"]["excluded"] == [[0, 50, 80], [0, 90, None]]


def test_a_quarantine_that_comes_again_opens_nothing_again(bench: Bench) -> None:
    bench.with_champions(1)
    for _ in range(2):
        bench.command("quarantine_source", name="q1", source="a", fields=["x"], since={"0": 50})
    bench.command("release_source", source="a", fields=["x"], until={"0": 80})
    bench.command("quarantine_source", name="q1", source="a", fields=["x"], since={"0": 50})
    bench.command("quarantine_source", name="refused", source="a", fields=["x"], since={"0": 85})
    bench.ingest_refuses("refused")
    bench.command("quarantine_source", name="refused", source="a", fields=["x"], since={"0": 85})

    bench.command("retrain")

    assert bench.jobs[0].arguments["rows"]["excluded"] == [[0, 50, 80]]


def test_a_quarantine_whose_refusal_is_read_before_it_leaves_nothing_out(bench: Bench) -> None:
    bench.with_champions(1)
    bench.ingest_refuses("q")
    bench.command("quarantine_source", name="q", source="a", fields=["x"], since={"0": 50})

    bench.command("retrain")

    assert bench.jobs[0].arguments["rows"].get("excluded", []) == []


def test_rows_of_which_only_fields_that_no_input_is_made_of_are_withheld_are_trained_on() -> None:
    schema = {"x": {"type": "number"}, "note": {"type": "string"}, "y": {"type": "boolean"}}
    bench = Bench(schema=schema, features={"x": "x"})
    bench.with_champions(1)
    bench.command("quarantine_source", name="n", source="a", fields=["note"], since={"0": 50})
    bench.command("quarantine_source", name="x", source="b", fields=["note", "x"], since={"0": 70})
    bench.command("release_source", source="b", fields=["note", "x"], until={"0": 80})

    bench.command("retrain")

    assert bench.jobs[0].arguments["rows"]["excluded"] == [[0, 70, 80]]
