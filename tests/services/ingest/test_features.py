"""Features: the stream and history agree to the last digit, however the stream is cut."""

from __future__ import annotations

import math
import statistics
from collections.abc import Mapping, Sequence
from pathlib import Path

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from services.ingest.core.features import FeaturePlan
from services.ingest.core.tails import Tails
from shared.messages import Value
from shared.pipeline.contract import Contract, Row
from shared.pipeline.load import load
from shared.pipeline.specification import Specification

EXAMPLES = Path(__file__).parents[3] / "examples"

SPECIFICATION = Specification.model_validate(
    {
        "name": "p",
        "kind": "regression",
        "schema": {
            "k": {"type": "string"},
            "x": {"type": "number", "nullable": True},
            "n": {"type": "integer", "nullable": True},
            "s": {"type": "string", "nullable": True},
            "y": {"type": "number"},
        },
        "key": "k",
        "target": "y",
        "features": {
            "x": "x",
            "mean": {"expression": "x", "window": 5},
            "std": {"expression": "x", "window": 4, "statistic": "std", "min_rows": 2},
            "least": {"expression": "x * 2", "window": 3, "statistic": "min"},
            "most": {"expression": "x", "window": 3, "statistic": "max"},
            "total": {"expression": "n", "window": 7, "statistic": "sum", "min_rows": 3},
            "middle": {"expression": "x / n", "window": 6, "statistic": "median"},
            "count": {"expression": "s", "window": 4, "statistic": "count"},
            "word_before": {"expression": "s", "lag": 2},
            "before": {"expression": "x", "lag": 3, "input": False},
            "change": "x - before",
            "relative": "change / mean",
        },
    }
)
PLAN = FeaturePlan(SPECIFICATION)

Rows = list[dict[str, Value]]
numbers = st.one_of(st.none(), st.floats(allow_nan=False, allow_infinity=False, width=64))
rows = st.lists(
    st.fixed_dictionaries(
        {
            "k": st.sampled_from(["a", "b", "c"]),
            "x": numbers,
            "n": st.one_of(st.none(), st.integers(-5, 5)),
            "s": st.sampled_from([None, "u", "v"]),
        }
    ),
    max_size=60,
)
cuts = st.lists(st.integers(1, 20), min_size=1, max_size=60)


def whole(history: Sequence[Mapping[str, Value]], most_keys: int = 100) -> Rows:
    return PLAN.compute(history, [str(row["k"]) for row in history], PLAN.tails(most_keys)) if history else []


def in_batches(history: Rows, sizes: Sequence[int], most_keys: int = 100) -> Rows:
    tails, found, start = PLAN.tails(most_keys), list[dict[str, Value]](), 0
    for size in [*sizes, len(history)]:
        batch = history[start : start + size]
        start += size
        if batch:
            found += PLAN.compute(batch, [str(row["k"]) for row in batch], tails)
    return found


@settings(max_examples=150)
@given(rows, cuts)
def test_however_the_stream_is_cut_each_row_has_the_values_of_history(history: Rows, sizes: list[int]) -> None:
    assert in_batches(history, sizes) == whole(history)


@settings(max_examples=100)
@given(rows, cuts)
def test_also_where_keys_are_forgotten(history: Rows, sizes: list[int]) -> None:
    assert in_batches(history, sizes, most_keys=2) == in_batches(history, [1] * len(history), most_keys=2)


@settings(max_examples=50)
@given(rows, st.integers(0, 60))
def test_saved_and_restored_tails_go_on_as_if_nothing_had_been(history: Rows, cut: int) -> None:
    keys = [str(row["k"]) for row in history]
    tails = PLAN.tails(100)
    first = PLAN.compute(history[:cut], keys[:cut], tails) if history[:cut] else []
    other: Tails = PLAN.tails(100)
    other.restored(tails.saved())
    second = PLAN.compute(history[cut:], keys[cut:], other) if history[cut:] else []

    assert first + second == whole(history)


@settings(max_examples=50)
@given(st.lists(st.floats(-1e6, 1e6), min_size=1, max_size=30))
def test_windows_say_what_their_names_say(values: list[float]) -> None:
    history: Rows = [{"k": "a", "x": value, "n": 1, "s": None} for value in values]

    last = whole(history)[-1]

    assert last["mean"] == pytest.approx(statistics.fmean(values[-5:]))
    assert last["most"] == max(values[-3:])
    assert last["least"] == 2 * min(values[-3:])
    assert last["middle"] == pytest.approx(statistics.median(values[-6:]))
    assert last["count"] == 0
    expected = statistics.stdev(values[-4:]) if len(values) > 1 else None
    assert last["std"] == (pytest.approx(expected, abs=1e-6) if expected is not None else None)
    assert last["total"] == (sum([1] * len(values[-7:])) if len(values) >= 3 else None)
    assert last["change"] == (values[-1] - values[-4] if len(values) > 3 else None)


def test_keys_do_not_see_each_other() -> None:
    history: Rows = [{"k": key, "x": x, "n": 1, "s": None} for key, x in [("a", 1.0), ("b", 100.0), ("a", 3.0)]]

    assert [row["mean"] for row in whole(history)] == [1.0, 100.0, 2.0]


def test_the_key_seen_longest_ago_is_forgotten_first() -> None:
    history: Rows = [{"k": key, "x": 1.0, "n": 1, "s": None} for key in "abacab"]

    totals = [row["count"] for row in whole([{**row, "s": "u"} for row in history], most_keys=2)]

    assert totals == [1, 1, 2, 1, 3, 1]


def test_steps_are_not_given_to_the_model() -> None:
    (row,) = whole([{"k": "a", "x": 1.0, "n": 1, "s": "u"}])

    assert tuple(row) == SPECIFICATION.feature_names
    assert "before" not in row


def test_what_is_not_finite_is_null() -> None:
    (row,) = whole([{"k": "a", "x": 1.0, "n": 0, "s": None}])

    assert row["middle"] is None


def test_a_spike_leaves_no_trace_once_it_has_left_the_window() -> None:
    quiet: Rows = [{"k": "a", "x": 0.1 * n, "n": 1, "s": None} for n in range(10)]
    spiked: Rows = [{"k": "a", "x": 1e15, "n": 1, "s": None}, *quiet]

    assert whole(spiked)[-1] == whole(quiet)[-1]


def test_what_cannot_be_computed_for_one_row_is_null_there_and_harms_no_other() -> None:
    document = SPECIFICATION.model_dump(mode="json", by_alias=True)
    plan = FeaturePlan(Specification.model_validate({**document, "features": {"head": "left(s, x)", "twice": "x * 2"}}))
    history: Rows = [{"x": 1.0, "s": "uv"}, {"x": 1e300, "s": "uv"}, {"x": 2.0, "s": "uv"}]

    found = plan.compute(history, ["a"] * 3, plan.tails(10))

    assert [row["head"] for row in found] == ["u", None, "uv"]
    assert [row["twice"] for row in found] == [2.0, 2e300, 4.0]


def test_a_feature_may_read_the_parts_of_a_time() -> None:
    specification = Specification.model_validate(
        {
            "name": "p",
            "kind": "regression",
            "schema": {"at": {"type": "timestamp"}, "y": {"type": "number"}},
            "timestamp": "at",
            "target": "y",
            "features": {"hour": "extract(hour from at)"},
        }
    )
    contract, plan = Contract(specification), FeaturePlan(specification)
    checked = [contract.check_row({"at": at}) for at in ("2026-01-31T23:59:59.5Z", "2026-02-01T01:00:00+02:00", None)]
    history = [row.values for row in checked if isinstance(row, Row)]

    assert [row["hour"] for row in plan.compute(history, ["", "", ""], plan.tails(1))] == [23, 23, None]


@pytest.mark.parametrize("name", ["electricity", "bike-rentals", "server-metrics"])
def test_the_examples_agree_on_real_rows(name: str) -> None:
    specification = load(EXAMPLES / name / "pipeline.yaml")
    frame = pl.read_parquet(EXAMPLES / name / "data.parquet").head(3000)
    time = str(specification.timestamp)
    records = frame.with_columns(pl.col(time).dt.strftime("%Y-%m-%dT%H:%M:%SZ")).to_dicts()
    contract, plan = Contract(specification), FeaturePlan(specification)
    history = [row.values for row in map(contract.check_row, records) if isinstance(row, Row)]
    keys = [str(row.get(specification.key or "", "")) for row in history]
    assert len(history) == 3000

    offline = plan.compute(history, keys, plan.tails(100))
    tails, online = plan.tails(100), list[dict[str, Value]]()
    for start in range(0, 3000, 7):
        online += plan.compute(history[start : start + 7], keys[start : start + 7], tails)

    assert online == offline
    assert all(
        value is None or not isinstance(value, float) or math.isfinite(value)
        for row in offline
        for value in row.values()
    )
