"""Tails and ranks are scipy's own, to the last digit."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import stats

from services.monitor.core.distributions import (
    binomial_limit,
    correlation,
    median_of,
    order_of,
    poisson_limit,
    quantiles_of,
    rank_correlation,
    ranks_of,
    student_tail,
)

rng = np.random.default_rng(7)


@pytest.mark.parametrize("level", [0.3, 0.01, 1e-4, 1e-9])
@pytest.mark.parametrize("share", [1e-4, 0.01, 0.37, 0.99, 1.0])
@pytest.mark.parametrize("tries", [1, 50, 2000])
def test_a_binomial_limit_is_the_inverse_of_its_tail(level: float, share: float, tries: int) -> None:
    assert binomial_limit(level, tries, share) == stats.binom.isf(level, tries, share)


@pytest.mark.parametrize("level", [0.3, 0.01, 1e-4, 1e-9])
@pytest.mark.parametrize("mean", [1e-4, 0.5, 3.0, 777.7])
def test_a_poisson_limit_is_the_inverse_of_its_tail(level: float, mean: float) -> None:
    assert poisson_limit(level, mean) == stats.poisson.isf(level, mean)


@pytest.mark.parametrize("freedom", [1, 9, 300])
@pytest.mark.parametrize("value", [-3.0, 0.0, 0.1, 12.5])
def test_a_tail_of_student_s_t(value: float, freedom: int) -> None:
    assert student_tail(value, freedom) == stats.t.sf(value, freedom)


def test_equal_values_share_their_mean_rank() -> None:
    values = rng.integers(0, 40, 300).astype(float)

    np.testing.assert_array_equal(ranks_of(values), stats.rankdata(values))


def test_the_correlation_of_ranks_is_spearman_s() -> None:
    places, values = np.arange(300), rng.integers(0, 40, 300).astype(float)

    assert rank_correlation(places, values) == pytest.approx(stats.spearmanr(places, values).statistic, abs=1e-15)


@pytest.mark.parametrize("size", [1, 2, 3, 4, 50, 51, 1000, 1999])
def test_quantiles_and_medians_are_numpy_s(size: int) -> None:
    for values in (rng.normal(size=size), rng.integers(0, 9, size) / 7, np.full(size, 0.1), rng.lognormal(0, 9, size)):
        shares = [0.0, 0.001, 0.25, 1 / 3, 0.5, 0.75, 0.99, 0.999, 1.0]
        ordered = np.sort(values)

        assert quantiles_of(ordered, shares) == np.quantile(values, shares).tolist()
        assert median_of(ordered) == np.median(values)


@pytest.mark.parametrize("size", [1, 2, 50, 2000])
def test_an_order_is_numpy_s_stable_one(size: int) -> None:
    for values in (rng.normal(size=size), rng.integers(0, 9, size) / 7, np.zeros(size)):
        assert order_of(values).tolist() == np.argsort(values, kind="stable").tolist()


@pytest.mark.parametrize("size", [2, 3, 50, 999, 2000])
def test_a_correlation_is_numpy_s(size: int) -> None:
    for noise in (0.0, 1e-9, 1.0, 100.0):
        one = rng.normal(size=size)
        other = one + noise * rng.normal(size=size)
        wrong = (one >= np.median(one)).astype(float)

        assert correlation(one, other) == np.corrcoef(one, other)[0, 1]
        assert correlation(other, wrong) == np.corrcoef(other, wrong)[0, 1]
