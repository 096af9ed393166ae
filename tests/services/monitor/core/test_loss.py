"""What is learned of a version, and what is forgotten again."""

from __future__ import annotations

import numpy as np

from services.monitor.core.level import Level, Stretch
from services.monitor.core.loss import Loss
from services.monitor.core.trouble import Limits, Trouble

LIMITS = Limits(tolerance=0.03, rate=2.5e-6, level=1e-3)


def fed(loss: Loss, share: float, first: int, count: int) -> None:
    rng = np.random.default_rng(first)
    errors = (rng.random(count) < share).astype(float)
    loss.take("1", "", Stretch(np.arange(first, first + count), errors, np.zeros(count)), LIMITS)


def test_rows_scored_on_faulty_inputs_leave_no_evidence_behind() -> None:
    loss = Loss()
    loss.go_live("1", 0, 0.1, 0.03)
    fed(loss, 0.1, 0, 500)
    before = loss.regimes["1"].recent.mean()
    fed(loss, 0.6, 500, 15)
    loss.excuse(500, 0.03)
    assert loss.trouble is None
    assert loss.regimes["1"].detector.evidence == 0.0
    assert loss.regimes["1"].tail_rows.max() == 499
    assert abs(loss.regimes["1"].recent.mean() - before) < 0.01


def test_what_the_version_before_showed_on_faulty_rows_does_not_excuse_the_next_one() -> None:
    loss = Loss()
    loss.go_live("1", 0, 0.1, 0.03)
    fed(loss, 0.1, 0, 500)
    loss.go_live("2", 500, 0.1, 0.03)
    loss.take_leaving(np.arange(460, 500), np.ones(40))

    loss.excuse(470, 0.03)

    assert loss.leaving_rows.max() < 470
    assert len(loss.leaving) == len(loss.leaving_rows) == 440
    assert loss.leaving.mean() < 0.2


def test_to_ask_of_a_version_that_is_not_known_is_not_to_know_it() -> None:
    loss, trouble = Loss(), Trouble(False, "9", 0.1, 0.5, 0, 0, 1.0, 1.0, 0, 0)
    loss.trouble = trouble

    assert loss.judged_up_to(trouble) == -1
    assert loss.lasting(LIMITS) == "unknown"
    loss.dismiss()

    assert loss.regimes == {}


def test_a_version_that_comes_back_keeps_its_reference() -> None:
    loss = Loss()
    loss.go_live("1", 0, None, 0.03)
    fed(loss, 0.1, 0, 300)
    reference = loss.regimes["1"].reference
    assert loss.go_live("2", 300, None, 0.03)
    assert not loss.go_live("1", 400, None, 0.03)
    assert loss.regimes["1"].reference == reference


def test_a_new_versions_own_rows_cannot_raise_its_reference_past_the_one_before() -> None:
    loss = Loss()
    loss.go_live("1", 0, 0.1, 0.03)
    fed(loss, 0.1, 0, 500)
    loss.go_live("2", 500, 0.1, 0.03)
    assert loss.regimes["2"].ceiling is not None
    assert loss.regimes["2"].ceiling < 0.2


def wavy(rng: np.random.Generator, mean: float, count: int) -> np.ndarray:
    """Errors in runs: half of the time few, half of the time many."""
    turns = np.repeat(np.tile([-0.1, 0.1], count // 50 + 1), 25)[:count]
    return (rng.random(count) < mean + turns).astype(float)


def led(loss: Loss, version: str, first: int, errors: np.ndarray, doubts: np.ndarray | None = None) -> int | None:
    """The row by which a trouble is found."""
    doubts = np.zeros(len(errors)) if doubts is None else doubts
    for begin in range(0, len(errors), 50):
        cut = slice(begin, begin + 50)
        rows = np.arange(first + begin, first + begin + len(errors[cut]))
        loss.take(version, "", Stretch(rows, errors[cut], doubts[cut]), LIMITS)
        if loss.trouble is not None:
            return int(rows[-1])
    return None


def test_a_version_that_never_reaches_the_level_of_those_before_it_is_found_by_that() -> None:
    rng = np.random.default_rng(1)
    loss = Loss()
    for place, version in enumerate(("1", "2", "3")):
        loss.go_live(version, 2000 * place, 0.15, 0.03)
        assert led(loss, version, 2000 * place, wavy(rng, 0.15, 2000)) is None
    loss.go_live("4", 6000, 0.3, 0.03)
    loss.releases.clear()
    row = led(loss, "4", 6000, wavy(rng, 0.3, 2000))
    assert loss.trouble is not None
    assert loss.trouble.slow
    assert row is not None
    assert row <= 7500


def test_doubt_that_explains_hard_rows_lets_a_loss_be_seen() -> None:
    rng = np.random.default_rng(2)
    hard = np.where(np.repeat(rng.random(120) < 0.5, 50), 0.3, 0.0)
    errors = (rng.random(6000) < 0.05 + hard).astype(float)
    errors[3000:] = np.maximum(errors[3000:], rng.random(3000) < 0.12)
    blind, seeing = Level(), Level()
    found: dict[str, int] = {}
    for name, level, doubts in (("blind", blind, 0.0 * hard), ("seeing", seeing, 1.0 * hard)):
        for begin in range(0, 6000, 100):
            cut = slice(begin, begin + 100)
            level.take(Stretch(np.arange(begin, begin + 100), errors[cut], doubts[cut]))
            if level.judge(0.03, 1e-6, None) is not None:
                found.setdefault(name, begin + 100)
    assert 3000 < found["seeing"] <= 4300
    assert found.get("blind", 9999) > found["seeing"]


def test_the_level_keeps_its_rate_of_false_alarms_where_nothing_changes() -> None:
    rng = np.random.default_rng(3)
    alarms = 0
    for _ in range(20):
        level = Level()
        errors = wavy(rng, 0.2, 10_000)
        for begin in range(0, 10_000, 100):
            level.take(Stretch(np.arange(begin, begin + 100), errors[begin : begin + 100], np.zeros(100)))
            alarms += level.judge(0.0, 1e-6, None) is not None
    assert alarms <= 1
