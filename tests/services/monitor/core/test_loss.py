"""What is learned of a version, and what is forgotten again."""

from __future__ import annotations

import numpy as np

from services.monitor.core.level import Stretch
from services.monitor.core.loss import Limits, Loss

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
