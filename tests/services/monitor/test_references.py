"""No reference is ever made of rows that were at fault, whatever happens while the fault is on."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from services.monitor.core.inputs import Inputs

Make = Callable[..., Any]


def times_1000(row: dict[str, object]) -> dict[str, object]:
    return row | {"price": row["price"] * 1000}  # type: ignore[operator]


def nonsense(row: dict[str, object]) -> dict[str, object]:
    return row | {"price": row["price"] - 5000}  # type: ignore[operator]


def inputs_of(s: Any) -> Inputs:
    found: Inputs = s.monitor._state.pipelines["shop"].inputs
    return found


def highest(s: Any) -> float:
    """The largest price that is plausible, or part of what drift is measured from."""
    inputs = inputs_of(s)
    column = inputs.fields.names.index("price")
    reference = inputs.references[column]
    assert inputs.bounds is not None
    assert reference is not None
    return max(float(inputs.bounds.high[column]), float(reference.ordered[-1]))


@pytest.mark.parametrize("change", [times_1000, nonsense])
@pytest.mark.parametrize("before", [860, 920, 950, 980])
def test_a_fault_lasts_as_long_as_it_lasts_though_references_fall_due_in_it(
    stream: Make, change: Callable[..., Any], before: int
) -> None:
    s = stream(warm=2000)
    s.run(before, batch=10)
    s.run(2500, change=change, batch=10)
    assert [(a.kind, a.state) for _, a in s.alerts()] == [("data_quality", "firing")]
    s.run(500, batch=10)
    assert [(a.kind, a.state) for _, a in s.alerts()] == [("data_quality", "firing"), ("data_quality", "resolved")]


@pytest.mark.parametrize("seen", [20, 120, 600])
def test_a_version_published_during_a_fault_takes_no_reference_from_it(stream: Make, seen: int) -> None:
    s = stream(warm=2000)
    s.run(seen, change=times_1000, batch=10)
    s.publish("2", accuracy=0.9)
    s.run(1500, change=times_1000, batch=10)
    assert highest(s) < 1000
    assert [a.state for _, a in s.alerts("data_quality")] == ["firing"]


def test_a_rollback_during_a_fault_leaves_the_references_as_they_are(stream: Make) -> None:
    s = stream(warm=1000)
    s.publish("2", accuracy=0.9)
    s.run(100)
    s.publish("3", accuracy=0.9)
    s.run(1000)
    kept = inputs_of(s).references
    s.run(100, change=times_1000)
    s.publish("2")
    assert inputs_of(s).references is kept
    s.run(1500, change=times_1000)
    assert highest(s) < 1000
    assert [a.state for _, a in s.alerts("data_quality")] == ["firing"]


def test_a_fault_among_the_first_rows_is_left_out_of_the_first_reference(stream: Make) -> None:
    s = stream()
    s.run(930, batch=10)
    s.run(400, change=times_1000, batch=10)
    s.publish("1", accuracy=0.9)
    s.run(2000, batch=10)
    assert highest(s) < 1000
    s.run(300, change=times_1000, batch=10)
    assert [a.state for _, a in s.alerts("data_quality")] == ["firing", "resolved", "firing"]


def test_rows_withheld_from_the_model_are_not_learned_from(stream: Make) -> None:
    s = stream(warm=1000)
    s.run(1500, change=lambda row: row | {"price": row["price"] + 5}, withheld=("price",))
    column = inputs_of(s).fields.names.index("price")
    reference = inputs_of(s).references[column]
    s.publish("2", accuracy=0.9)
    assert inputs_of(s).references[column] == reference


def test_values_that_were_implausible_before_do_not_widen_what_is_plausible(stream: Make) -> None:
    s = stream(warm=2000)
    turn = iter(range(10_000))
    s.run(2000, change=lambda row: nonsense(row) if next(turn) % 4 == 0 else row)
    s.run(100, change=nonsense)
    assert [a.state for _, a in s.alerts("data_quality")] == ["firing"]


def test_cells_left_out_after_a_fault_do_not_pass_for_missing_ones(stream: Make) -> None:
    s = stream(warm=2000)
    s.run(400, change=times_1000)
    s.run(2000)
    s.run(200, change=lambda row: row | {"price": None})
    assert s.alerts()[-1][1].evidence.statistic == "missing.price"


@pytest.mark.parametrize("rolled_back", [False, True])
def test_what_a_version_showed_on_faulty_rows_is_no_part_of_its_usual_error(stream: Make, rolled_back: bool) -> None:
    s = stream(warm=2000)
    s.publish("2", accuracy=0.9)
    s.run(190)
    s.run(20, change=times_1000, error=1.0, batch=10)
    if rolled_back:
        s.publish("1")
    s.run(200, change=times_1000, error=1.0, batch=10)
    regimes = s.monitor._state.pipelines["shop"].loss.regimes
    faulty = np.arange(3190, 3410)
    for version in ("1", "2"):
        assert not np.isin(regimes[version].first_rows, faulty).any()
        assert not np.isin(regimes[version].recent_rows, faulty).any()
    assert regimes["2"].reference is None
    assert {a.kind for _, a in s.alerts()} == {"data_quality"}
