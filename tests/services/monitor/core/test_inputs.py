"""Quality and drift: what is a fault, what merely moved, and what is only the usual ups and downs."""

from __future__ import annotations

import numpy as np
import pytest

from services.monitor.core.bounds import bounds_of, is_clock
from services.monitor.core.drift import references_of, shifts_in, significant
from services.monitor.core.fields import Fields
from services.monitor.core.quality import Suspicion, frozen_runs, right_again, suspicions
from services.monitor.core.refusals import Refusals

NUMBER, CATEGORY = np.array([False]), np.array([True])
LEVEL = 1e-6


def checks(reference: np.ndarray, window: np.ndarray, *, categorical: bool = False) -> list[str]:
    kind = np.array([categorical])
    bounds = bounds_of(reference[:, None], np.zeros(len(reference), np.int64), kind, LEVEL)
    runs, _, _ = frozen_runs(window[None, :, None], np.array([np.nan]), np.zeros(1))
    return [s.check for s in suspicions(window[None, :, None], bounds, runs)[0]]


def autoregressive(rng: np.random.Generator, rows: int, keep: float = 0.95) -> np.ndarray:
    out = np.zeros(rows)
    for i in range(1, rows):
        out[i] = keep * out[i - 1] + rng.normal()
    return out


@pytest.mark.parametrize(
    ("name", "change", "expected"),
    [
        ("times 1000", lambda x: x * 1000, "unit"),
        ("thousandth", lambda x: x / 1000, "unit"),
        ("to Fahrenheit", lambda x: x * 1.8 + 32, "unit"),
        ("nonsense", lambda x: -1e6 + 0 * x + np.arange(len(x)), "out_of_range"),
        ("gone", lambda x: np.full(len(x), np.nan), "missing"),
        ("half gone", lambda x: np.where(np.arange(len(x)) % 2 == 0, np.nan, x), "missing"),
        ("stuck", lambda x: np.full(len(x), x[0]), "frozen"),
    ],
)
def test_a_broken_field_is_found_in_one_short_window(name: str, change: object, expected: str) -> None:
    rng = np.random.default_rng(0)
    reference = rng.normal(18, 3, 2000)
    assert expected in checks(reference, change(rng.normal(18, 3, 50)))  # type: ignore[operator]


def test_a_hot_week_is_no_fault() -> None:
    rng = np.random.default_rng(1)
    assert checks(rng.normal(18, 3, 2000), rng.normal(27, 3, 50)) == []


def test_a_rare_missing_cell_is_no_fault_where_the_reference_has_them_too() -> None:
    rng = np.random.default_rng(2)
    reference = np.where(rng.random(2000) < 0.05, np.nan, rng.normal(size=2000))
    window = np.where(rng.random(50) < 0.1, np.nan, rng.normal(size=50))
    assert checks(reference, window) == []


def test_a_field_that_is_missing_half_of_the_time_is_right_again_once_it_is_as_before() -> None:
    rng = np.random.default_rng(9)
    halves = np.where(rng.random(8000) < 0.5, np.nan, rng.normal(size=8000))[:, None]
    bounds = bounds_of(halves[:4000], np.zeros(4000, np.int64), NUMBER, LEVEL)
    began = Suspicion(0, "missing", 1.0, 0.9, "all of it")

    right = [right_again(window, bounds, began, 0.0, np.nan) for window in halves[4000:].reshape(80, 50, 1)]

    assert np.mean(right) > 0.95
    assert not right_again(np.full((50, 1), np.nan), bounds, began, 0.0, np.nan)


def test_a_field_that_often_repeats_is_frozen_later_than_one_that_never_does() -> None:
    rng = np.random.default_rng(3)
    days = np.repeat(rng.integers(1, 8, 100), 20).astype(float)
    assert checks(days, np.full(50, 3.0)) == []


def test_a_clock_has_no_usual_range() -> None:
    clock = np.arange(2000.0)
    assert is_clock(clock)
    assert checks(clock, np.arange(50.0) + 1e6) == []
    assert not is_clock(np.sin(clock / 50))


def test_a_month_has_no_usual_range() -> None:
    assert checks(np.repeat([1.0, 2.0, 3.0], 700), np.full(50, 9.0)) == []


def test_a_field_that_never_varied_has_no_range_to_leave() -> None:
    assert checks(np.full(2000, 0.4), np.linspace(0, 1, 50)) == []


def test_new_categories_are_a_fault_past_a_rate() -> None:
    rng = np.random.default_rng(4)
    reference = rng.integers(0, 4, 2000).astype(float)
    assert checks(reference, np.array([9.0] * 12 + [1.0, 2.0] * 19), categorical=True) == ["new_category"]
    assert checks(reference, np.array([9.0] + [1.0, 2.0] * 24 + [0.0]), categorical=True) == []


def drifted(reference: np.ndarray, windows: list[np.ndarray], *, categorical: bool = False, level: float = 1e-3) -> int:
    kinds = np.full(reference.shape[1], categorical)
    learned = references_of(reference, kinds, np.zeros(reference.shape[1], bool), 500)
    return sum(bool(significant(shifts_in(window, learned), level)) for window in windows)


def test_many_independent_fields_without_drift_keep_the_familys_level() -> None:
    rng = np.random.default_rng(5)
    alarms = sum(
        drifted(rng.normal(size=(2000, 20)), [rng.normal(size=(500, 20)) for _ in range(20)], level=0.05)
        for _ in range(10)
    )
    assert alarms / 200 <= 0.05


def test_the_usual_ups_and_downs_of_dependent_rows_are_no_drift() -> None:
    rng = np.random.default_rng(6)
    series = autoregressive(rng, 22_000)
    windows = [series[i : i + 500, None] for i in range(2000, 22_000, 500)]
    assert drifted(series[:2000, None], windows) <= 1


def test_a_shift_of_one_scale_is_drift() -> None:
    rng = np.random.default_rng(7)
    reference, window = rng.normal(size=(2000, 3)), rng.normal(size=(500, 3))
    window[:, 1] += 1.0
    learned = references_of(reference, np.zeros(3, bool), np.zeros(3, bool), 500)
    (shift,) = significant(shifts_in(window, learned), 1e-3)
    assert shift.column == 1
    assert shift.psi > 0.5
    assert 0.6 < shift.wasserstein < 0.9


def test_changed_shares_of_categories_are_drift() -> None:
    rng = np.random.default_rng(8)
    reference = rng.choice(3, 2000, p=[0.6, 0.3, 0.1]).astype(float)[:, None]
    same = rng.choice(3, 500, p=[0.6, 0.3, 0.1]).astype(float)[:, None]
    other = rng.choice(3, 500, p=[0.2, 0.3, 0.5]).astype(float)[:, None]
    assert drifted(reference, [same], categorical=True) == 0
    assert drifted(reference, [other], categorical=True) == 1


def test_rows_become_a_matrix_whatever_they_lack() -> None:
    fields = Fields(("a", "b", "c"), 2, {"c": {}})
    matrix = fields.matrix(
        [{"a": 1, "b": None, "c": "x"}, {"a": True, "c": "y"}, {"a": "odd", "b": 10**400, "c": None}]
    )
    assert np.array_equal(
        matrix, np.array([[1.0, np.nan, 0.0], [1.0, np.nan, 1.0], [np.nan, np.nan, np.nan]]), equal_nan=True
    )


def test_a_usual_rate_of_refusals_is_no_fault_and_a_burst_is() -> None:
    refusals = Refusals()
    refusals.accepted = 495
    for _ in range(5):
        refusals.refuse("price", "schema", "north")
    assert refusals.judge(LEVEL) == []
    refusals.accepted = 60
    for _ in range(40):
        refusals.refuse("price", "schema", "north")
    (found,) = refusals.judge(LEVEL) or []
    assert (found.what, found.share, found.sources[0][0]) == ("price", 0.4, "north")


def test_too_few_rows_are_not_judged() -> None:
    refusals = Refusals()
    refusals.refuse("price", "schema", None)
    assert refusals.judge(LEVEL) is None


def test_texts_of_which_none_comes_often_have_no_share_that_could_move() -> None:
    codes = np.arange(2000.0)[:, None]
    assert references_of(codes, CATEGORY, np.array([False]), 500) == [None]


def test_new_values_are_expected_as_often_as_values_occur_once() -> None:
    rng = np.random.default_rng(5)
    usual = rng.integers(0, 20, 2000).astype(float)
    reference = np.where(rng.random(2000) < 0.1, np.arange(1000.0, 3000.0), usual)
    window = np.where(np.arange(50) % 5 == 0, np.arange(9000.0, 9050.0), rng.integers(0, 20, 50).astype(float))

    assert checks(reference, window, categorical=True) == []
    assert checks(usual, window, categorical=True) == ["new_category"]
    assert checks(reference, np.arange(9000.0, 9050.0), categorical=True) == ["new_category"]
