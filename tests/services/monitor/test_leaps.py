"""A field that becomes another quantity at once is at fault from the first row to the last, whatever the factor."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from services.monitor.core.fields import Fields
from services.monitor.core.inputs import Inputs
from services.monitor.core.watched import Sizes

Make = Callable[..., Any]
Shape = Callable[[np.random.Generator], float]

SHAPES: dict[str, Shape] = {
    "narrow": lambda rng: rng.normal(13, 0.8),
    "bell": lambda rng: rng.normal(18, 3),
    "skewed": lambda rng: rng.lognormal(1, 0.5),
    "two humps": lambda rng: rng.normal(0.8, 0.3) if rng.random() < 0.33 else rng.normal(2.6, 0.6),
    "flat": lambda rng: rng.uniform(5, 50),
    "counts": lambda rng: float(rng.poisson(12)),
}
SIZES = Sizes(window=250, reference=1000, quality_level=1e-6, drift_level=1e-6)
FACTORS = (0.1333, 0.264, 0.3937, 2.2046, 2.5, 4.4, 7.5)


def drawn(shape: Shape, factor: float = 1.0, *, seed: int = 0) -> Callable[[dict[str, object]], dict[str, object]]:
    rng = np.random.default_rng(seed)
    return lambda row: row | {"price": factor * shape(rng)}


def told(s: Any, kind: str = "data_quality") -> list[str]:
    return [alert.state for _, alert in s.alerts(kind)]


def inputs_of(s: Any) -> Inputs:
    found: Inputs = s.monitor._state.pipelines["shop"].inputs
    return found


@pytest.mark.parametrize("factor", FACTORS)
@pytest.mark.parametrize("shape", SHAPES)
def test_a_field_times_any_factor_is_at_fault_once_and_until_it_is_right_again(
    stream: Make, shape: str, factor: float
) -> None:
    s = stream()
    s.run(2000, change=drawn(SHAPES[shape]))
    s.run(3000, change=drawn(SHAPES[shape], factor, seed=1))
    assert told(s) == ["firing"]
    s.run(1000, change=drawn(SHAPES[shape], seed=2))

    (began, fault), (ended, _) = s.alerts("data_quality")
    assert told(s) == ["firing", "resolved"]
    assert 2000 < began <= 2200
    assert 5000 < ended <= 5300
    assert 1900 <= fault.evidence.change.first_row <= 2000
    assert fault.causes[0].what == "price"


@pytest.mark.parametrize("offset", range(0, 50, 7))
def test_where_a_window_begins_makes_no_difference(stream: Make, offset: int) -> None:
    s = stream()
    s.run(2000, change=drawn(SHAPES["two humps"]))
    s.run(offset, change=drawn(SHAPES["two humps"], seed=3), batch=max(1, offset))
    s.run(3000, change=drawn(SHAPES["two humps"], 2.5, seed=1))
    assert told(s) == ["firing"]


@pytest.mark.parametrize("shape", SHAPES)
def test_an_honest_field_that_goes_the_same_way_slowly_is_no_fault(stream: Make, shape: str) -> None:
    s = stream()
    s.run(2000, change=drawn(SHAPES[shape]))
    for step in range(60):
        s.run(100, change=drawn(SHAPES[shape], 2.2 ** ((step + 1) / 60), seed=step + 1))
    assert told(s) == []


@pytest.mark.parametrize("factor", [0.75, 1.3, 1.5])
def test_a_field_that_the_world_may_have_moved_is_no_fault(stream: Make, factor: float) -> None:
    s = stream()
    s.run(2000, change=drawn(SHAPES["bell"]))
    s.run(2000, change=drawn(SHAPES["bell"], factor, seed=1))
    assert told(s) == []


def test_a_field_that_wanders_by_nature_is_not_told_apart(stream: Make) -> None:
    rng = np.random.default_rng(0)
    level = [10.0]

    def wander(row: dict[str, object]) -> dict[str, object]:
        level[0] = max(1.0, 0.995 * level[0] + 0.05 + rng.normal(0, 0.4))
        return row | {"price": level[0]}

    s = stream()
    s.run(12_000, change=wander)
    assert told(s) == []


def test_sources_that_differ_by_a_factor_as_ever_are_no_fault(stream: Make) -> None:
    rng, turn = np.random.default_rng(0), iter(range(100_000))
    s = stream()
    s.run(
        6000,
        change=lambda row: row | {"price": rng.normal(18, 3) * (1.0 if next(turn) % 2 == 0 else 2.2)},
        sources=("north", "south"),
    )
    assert told(s) == []


def test_a_measured_factor_is_told_and_a_unit_only_as_a_fit(stream: Make) -> None:
    s = stream()
    s.run(2000, change=drawn(SHAPES["bell"]))
    s.run(200, change=drawn(SHAPES["bell"], 2.2046, seed=1))
    ((_, alert),) = s.alerts("data_quality")
    assert "times what they were (fits pounds for kilograms: 2.2046?)" in alert.summary


def test_values_far_outside_do_not_become_the_usual_ones_with_a_new_version(stream: Make) -> None:
    """A fifth of the values beyond all bounds: too few for a fault, too many for the reference to follow."""
    kinds = (
        (lambda rng: rng.normal(18, 3),) * 11
        + (lambda rng: rng.uniform(30, 42),) * 5
        + (lambda rng: rng.normal(90, 3),) * 4
    )
    s = stream()
    turn = iter(range(100_000))
    s.run(3000, change=drawn(SHAPES["bell"]))
    s.publish("1", accuracy=0.9)

    def part(row: dict[str, object]) -> dict[str, object]:
        return row | {"price": float(kinds[next(turn) % 20](s.rng))}

    column = inputs_of(s).fields.names.index("price")
    bounds, reference = inputs_of(s).bounds, inputs_of(s).references[column]
    assert bounds is not None
    high = float(bounds.high[column])
    s.run(1500, change=part)
    s.publish("2", accuracy=0.9)
    s.run(4000, change=part)
    after = inputs_of(s).bounds
    assert after is not None
    assert float(after.high[column]) == high
    assert inputs_of(s).references[column] == reference
    assert told(s, "anomaly") == ["firing"], "nobody is told that the rows are in their usual range again"


def test_a_field_around_zero_that_goes_elsewhere_is_told_without_a_ratio(stream: Make) -> None:
    s = stream()
    s.run(1500, change=lambda row: row | {"price": float(row["load"] > 12) * 2 - 1})
    s.run(300, change=lambda row: row | {"price": 30.0 + float(row["load"] > 12)})

    ((_, fault),) = s.alerts("data_quality")
    assert "times" not in fault.summary
    assert fault.causes[0].what == "price"


def test_what_a_leap_that_is_noticed_next_reaches_back_to_is_not_learned_from() -> None:
    inputs = Inputs.of(Fields(("price",), 1, {}), SIZES)
    rng = np.random.default_rng(0)
    leapt = np.where(np.arange(4050) < 3940, 1.0, 2.2) * rng.normal(18, 3, 4050)

    inputs.take(leapt[:4000, None], np.arange(4000), np.zeros(4000, np.int64))
    assert inputs.bounds is not None
    learned = float(inputs.bounds.high[0])
    inputs.take(leapt[4000:, None], np.arange(4000, 4050), np.zeros(50, np.int64))

    assert inputs.faults["0:0"].since == 3900, "a window before it was noticed for the first time"
    assert learned < 60


def test_a_window_with_no_value_in_it_does_not_hide_where_the_fault_lay() -> None:
    inputs = Inputs.of(Fields(("price",), 1, {}), SIZES)
    values = np.concatenate([np.random.default_rng(0).normal(18, 3, 2000), np.full(100, 18_000.0), np.full(50, np.nan)])

    inputs.take(values[:, None], np.arange(2150), np.zeros(2150, np.int64))

    assert inputs.faults["0:0"].level == 18_000.0


@pytest.mark.parametrize("left", [0.45, 1.8])
def test_a_fault_that_is_mended_by_half_is_not_over(stream: Make, left: float) -> None:
    s = stream()
    s.run(1500, change=drawn(SHAPES["narrow"]))
    s.run(300, change=drawn(SHAPES["narrow"], 100.0, seed=1))
    s.run(1500, change=drawn(SHAPES["narrow"], left, seed=2))

    assert told(s)[-1] == "firing"
