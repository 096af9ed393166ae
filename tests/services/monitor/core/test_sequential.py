"""The tests keep their error and find what they are for."""

from __future__ import annotations

import numpy as np
import pytest

from services.monitor.core.sequential import Bet, Detector, memory_of, onset


def alarm(values: np.ndarray, bar: float, rate: float, memory: float = 1.0) -> int | None:
    return Detector().feed(values, bar, rate, memory)


def test_the_mean_run_to_a_false_alarm_is_at_least_what_is_promised() -> None:
    rng = np.random.default_rng(1)
    lengths = []
    for _ in range(200):
        found = alarm((rng.random(20_000) < 0.2).astype(float), 0.2, 1 / 1000)
        lengths.append(20_000 if found is None else found)
    assert np.mean(lengths) >= 1000


@pytest.mark.parametrize(("after", "within"), [(0.9, 30), (0.5, 90), (0.35, 300)])
def test_a_rise_is_found_soon(after: float, within: int) -> None:
    rng = np.random.default_rng(2)
    delays = []
    for _ in range(20):
        values = np.concatenate([rng.random(1000) < 0.15, rng.random(3000) < after]).astype(float)
        found = alarm(values, 0.18, 2.5e-6)
        assert found is not None
        delays.append(found - 1000)
    assert np.median(delays) <= within


def test_batches_may_be_cut_anywhere() -> None:
    rng = np.random.default_rng(3)
    values = rng.random(500)
    whole, parts = Detector(), Detector()
    whole.feed(values, 0.6, 1e-9)
    for part in np.split(values, [1, 63, 64, 65, 300]):
        parts.feed(part, 0.6, 1e-9)
    assert np.allclose(whole.wealth, parts.wealth)


def test_a_bet_crosses_by_chance_no_more_often_than_its_level() -> None:
    rng = np.random.default_rng(4)
    crossings = sum(Bet().feed((rng.random(2000) < 0.3).astype(float), 0.3, 0.05) is not None for _ in range(400))
    assert crossings / 400 <= 0.05


def test_errors_in_runs_need_more_rows_before_they_convince() -> None:
    rng = np.random.default_rng(5)
    runs = np.repeat(rng.random(4000) < 0.2, 10).astype(float)
    memory = memory_of(runs[:2000])
    assert 6 < memory < 16
    assert alarm(runs, 0.25, 1e-5) is not None
    assert alarm(runs, 0.25, 1e-5, memory) is None


def test_independent_rows_have_no_memory() -> None:
    rng = np.random.default_rng(6)
    assert memory_of((rng.random(1000) < 0.2).astype(float)) < 1.5
    assert memory_of(np.zeros(100)) == 1.0


def test_the_onset_is_where_the_rise_began() -> None:
    rng = np.random.default_rng(7)
    values = np.concatenate([rng.random(600) < 0.1, rng.random(60) < 0.8]).astype(float)
    assert abs(onset(values, 0.15) - 600) <= 10
