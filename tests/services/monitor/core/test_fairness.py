from __future__ import annotations

from itertools import product

import numpy as np
import pytest

from services.monitor.core.fairness import BLOCK, Fairness, Slice, nearest_fair

TOLERANCE = 0.03


def expected_growth(own_rate: float, rest_rate: float, guess: float, own: int, others: int) -> float:
    """The expectation of a block's e-value, over all outcomes of right and wrong."""
    total = np.zeros(4)
    for outcome in product((0.0, 1.0), repeat=own + others):
        errors, rest = np.array(outcome[:own]), np.array(outcome[own:])
        chance = np.prod(np.where(errors, own_rate, 1 - own_rate)) * np.prod(np.where(rest, rest_rate, 1 - rest_rate))
        places = np.repeat([1, -1], [own, others])
        watched = Fairness("1", {"field|1": Slice(blocks=[(100, 0.0, 100, 100 * guess)])})
        watched.judge("field", places, np.arange(own + others), np.concatenate([errors, rest]), TOLERANCE, 1.0)
        total += chance * watched.slices["field|1"].wealth
    return float(total.max())


@pytest.mark.parametrize("rest", [0.02, 0.1, 0.3, 0.6, 0.9])
@pytest.mark.parametrize("behind", [TOLERANCE, 0.0, -0.2])
@pytest.mark.parametrize("guess", [0.05, 0.3])
def test_a_bet_against_a_fair_slice_is_not_expected_to_win(rest: float, behind: float, guess: float) -> None:
    own = max(0.0, rest + behind)

    assert expected_growth(own, rest, guess, 2, 4) <= 1 + 1e-6


def test_a_bet_against_an_unfair_slice_is_expected_to_win() -> None:
    assert expected_growth(0.5, 0.1, 0.1, 2, 4) > 2


def test_the_nearest_fair_pair_lies_nearer_to_the_larger_sample() -> None:
    slice_rate, rest_rate, others = np.array([[0.4]]), np.array([[0.1]]), np.array([[100]])

    few, many = (nearest_fair(slice_rate, rest_rate, np.array([[n]]), others, TOLERANCE).item() for n in (5, 500))

    assert 0.13 < few < 0.16
    assert 0.3 < many < 0.4


def test_among_slices_alike_none_is_found_in_60_000_rows() -> None:
    rng = np.random.default_rng(0)
    watched = Fairness("1")
    found: list[str] = []

    for _ in range(60_000 // BLOCK):
        errors = (rng.random(BLOCK) < 0.2).astype(float)
        watched.judge("field", rng.integers(0, 8, BLOCK), np.arange(BLOCK), errors, TOLERANCE, 1.0)
        found += watched.found(TOLERANCE, 3e-6 * BLOCK)

    assert found == []


def test_of_two_slices_the_worse_one_is_found() -> None:
    rng = np.random.default_rng(1)
    watched = Fairness("1")
    found: list[str] = []

    for _ in range(20):
        places = rng.integers(0, 2, BLOCK)
        errors = (rng.random(BLOCK) < np.where(places == 1, 0.3, 0.1)).astype(float)
        watched.judge("field", places, np.arange(BLOCK), errors, TOLERANCE, 1.0)
        found += watched.found(TOLERANCE, 1e-4)

    assert found == ["field|1"]
