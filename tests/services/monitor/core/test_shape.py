"""Which fields leapt, told from the quantiles they had before."""

from __future__ import annotations

import numpy as np
import pytest

from services.monitor.core.shape import Course, Leap, Shape

ROWS = 50


def shape_of(reference: np.ndarray) -> Shape:
    found = Shape.of(reference.shape[1])
    for column, cells in enumerate(reference.T):
        found.learn(np.array([column]), cells[None, :], np.sort(cells)[None, :], np.zeros(len(cells), np.int64), ROWS)
    return found


def leaps(shape: Shape, rows: np.ndarray) -> list[Leap]:
    course, found = Course.of(rows.shape[1]), []
    for begin in range(0, len(rows), ROWS):
        window = rows[begin : begin + ROWS]
        found += course.take(window, shape.distances(window[None])[0], shape, shape.limits)
    return found


def several(factors: list[float], width: int = 6) -> list[int]:
    """The fields that leapt where the first ones are multiplied by these."""
    rng = np.random.default_rng(0)
    rows = rng.normal(18, 3, (3000, width))
    rows[2200:, : len(factors)] *= factors
    return sorted({leap.column for leap in leaps(shape_of(rows[:2000]), rows[2000:])})


def test_fields_that_leap_together_are_each_found() -> None:
    assert several([2.2, 0.4, 3.8]) == [0, 1, 2]


def test_where_most_fields_are_others_no_field_is_to_blame() -> None:
    assert several([2.2, 0.4, 3.8, 0.3]) == []


@pytest.mark.parametrize("factor", [0.11, 0.3, 0.55, 1.9, 3.1, 9.0])
def test_the_factor_is_measured(factor: float) -> None:
    rng = np.random.default_rng(1)
    rows = rng.normal(18, 3, (3000, 1))
    rows[2220:] *= factor
    (leap,) = leaps(shape_of(rows[:2000]), rows[2000:])[:1]
    assert leap.factor == pytest.approx(factor, rel=0.15)


@pytest.mark.parametrize("sign", [1, -1])
def test_the_factor_of_whole_numbers_is_measured_on_either_side_of_zero(sign: int) -> None:
    rng = np.random.default_rng(1)
    whole = rng.integers(1, 8, (3000, 1)) * float(sign)

    assert shape_of(whole[:2000]).factor(0, whole[2000:, 0] * 2.2) == pytest.approx(2.2)


def test_another_shape_at_another_place_is_no_factor() -> None:
    rng = np.random.default_rng(2)
    reference = rng.normal(18, 3, (2000, 1))
    others = rng.choice([5.0, 60.0], (1000, 1))
    assert leaps(shape_of(reference), np.concatenate([reference[:200], others])) == []


def test_what_was_usual_before_is_no_leap_after_a_newer_reference() -> None:
    rng = np.random.default_rng(3)
    old, new = rng.normal(18, 3, (2000, 1)), rng.normal(40, 6, (2000, 1))
    both = shape_of(new).after(shape_of(old))
    assert leaps(both, np.concatenate([new[:400], old[:400]])) == []
    assert leaps(shape_of(new), np.concatenate([new[:400], old[:400]])) != []
