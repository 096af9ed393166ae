"""Two models on the same rows, and how far back to learn from."""

from __future__ import annotations

import numpy as np
import pytest

from services.trainer.core.paired import chance_of_no_gain, longest_unbeaten, losses_of


def wrong_at(share: float, rows: int = 400, seed: int = 1) -> np.ndarray:
    return (np.random.default_rng(seed).random(rows) < share).astype(float)


def test_two_models_of_one_quality_differ_by_chance_only_as_often_as_the_level_says() -> None:
    chances = [chance_of_no_gain(wrong_at(0.2, seed=2 * k), wrong_at(0.2, seed=2 * k + 1)) for k in range(400)]

    assert np.mean(np.array(chances) <= 0.1) == pytest.approx(0.1, abs=0.04)


def test_a_clear_gain_is_no_chance_and_a_loss_never_passes() -> None:
    assert chance_of_no_gain(wrong_at(0.1), wrong_at(0.3, seed=2)) < 1e-4
    assert chance_of_no_gain(wrong_at(0.3), wrong_at(0.1, seed=2)) > 0.99


def test_a_gain_in_one_run_of_rows_says_less_than_the_same_gain_spread_over_all() -> None:
    theirs = np.zeros(400)
    theirs[:40] = 1.0
    spread = np.zeros(400)
    spread[::10] = 1.0

    assert chance_of_no_gain(np.zeros(400), theirs) > 10 * chance_of_no_gain(np.zeros(400), spread)


def test_nothing_is_proven_by_a_few_rows_nor_by_equal_answers() -> None:
    assert chance_of_no_gain(np.zeros(4), np.ones(4)) == 1.0
    assert chance_of_no_gain(wrong_at(0.2), wrong_at(0.2)) == 1.0
    assert chance_of_no_gain(np.zeros(800), np.eye(1, 800)[0]) > 0.1


def test_a_loss_is_a_wrong_class_or_the_size_of_an_error() -> None:
    assert losses_of("binary", np.array([0.0, 1.0]), np.array([0.0, 0.0])).tolist() == [0.0, 1.0]
    assert losses_of("regression", np.array([1.0, 5.0]), np.array([2.5, 5.0])).tolist() == [1.5, 0.0]


def test_all_rows_are_learned_from_until_fewer_are_shown_to_be_better() -> None:
    best_by_luck = {4000: wrong_at(0.21), 500: wrong_at(0.2, seed=2)}
    better = {4000: wrong_at(0.6), 2000: wrong_at(0.3, seed=3), 500: wrong_at(0.1, seed=2)}

    assert longest_unbeaten(best_by_luck, 0.05) == 4000
    assert longest_unbeaten(better, 0.05) == 500
    assert longest_unbeaten({}, 0.05) is None
