"""What is usual of a field does not depend on the fields beside it."""

from __future__ import annotations

import numpy as np
import pytest
from msgspec import structs

from services.monitor.core.bounds import bounds_of
from services.monitor.core.drift import references_of, shifts_in

LEVEL = 1e-6
ROWS = 1200
KINDS = ("bell", "skewed", "tenths", "counts", "clock", "month", "constant", "mostly one", "bell with gaps", "category")
CATEGORICAL = np.array([kind == "category" for kind in KINDS])


def fields(rng: np.random.Generator, rows: int = ROWS) -> np.ndarray:
    bell = rng.normal(18, 3, (rows, 3))
    columns = [
        bell[:, 0],
        rng.lognormal(1, 0.5, rows),
        np.round(bell[:, 1], 1),
        rng.poisson(3, rows),
        np.arange(rows) // 2,
        np.arange(rows) // 400,
        np.full(rows, 7.0),
        np.where(rng.random(rows) < 0.9, 0.0, bell[:, 1]),
        np.where(rng.random(rows) < 0.2, np.nan, bell[:, 2]),
        rng.integers(0, 5, rows),
    ]
    return np.column_stack(columns).astype(float)


@pytest.mark.parametrize("sources", [1, 3])
@pytest.mark.parametrize("doubted", [False, True])
def test_fields_that_are_learned_together_are_learned_as_each_alone(sources: int, doubted: bool) -> None:
    rng = np.random.default_rng(0)
    values, senders = fields(rng), rng.integers(0, sources, ROWS)
    doubts = np.zeros(values.shape, bool)
    doubts[100:150, :2] = doubted

    together = structs.asdict(bounds_of(values, senders, CATEGORICAL, LEVEL, doubts))

    for column in range(len(KINDS)):
        one = slice(column, column + 1)
        alone = structs.asdict(bounds_of(values[:, one], senders, CATEGORICAL[one], LEVEL, doubts[:, one]))
        for name in (
            "low",
            "high",
            "level_low",
            "level_high",
            "spread",
            "run",
            "missing",
            "fresh",
            "bare",
            "categories",
        ):
            np.testing.assert_array_equal(together[name][one], alone[name], f"{name} of {KINDS[column]}")
        np.testing.assert_array_equal(together["shape"].own[one], alone["shape"].own)
        np.testing.assert_array_equal(together["shape"].edges[:, one], alone["shape"].edges)


def test_fields_of_which_little_is_known_have_bounds_that_nothing_breaks() -> None:
    nothing = bounds_of(np.empty((0, 2)), np.empty(0, np.int64), np.array([False, True]), LEVEL)
    empty = bounds_of(np.full((60, 2), np.nan), np.zeros(60, np.int64), np.array([False, True]), LEVEL)

    for bounds in (nothing, empty):
        assert np.isnan(bounds.low).all()
        assert np.isinf(bounds.run).all()
    assert np.isinf(empty.missing).all()


@pytest.mark.parametrize("rows", [60, 250])
def test_fields_that_are_compared_together_are_compared_as_each_alone(rows: int) -> None:
    rng = np.random.default_rng(1)
    nothing = np.zeros(len(KINDS), bool)
    references = references_of(fields(rng, 2000), CATEGORICAL, nothing, rows)
    window = fields(rng, rows) + 0.5

    together = shifts_in(window, references)

    alone = [shifts_in(window[:, [c]], [references[c]])[0] for c in [shift.column for shift in together]]
    assert [shift.column for shift in together] == sorted(shift.column for shift in together)
    assert len(together) >= len(KINDS) - 1
    for one, other in zip(together, alone, strict=True):
        assert structs.astuple(structs.replace(other, column=one.column)) == pytest.approx(
            structs.astuple(one), rel=1e-12, nan_ok=True
        )
