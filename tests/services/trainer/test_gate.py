"""Who may replace the champion."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import pytest

from services.trainer.core.gate import Showing, Verdict, proven, verdict_on
from shared.pipeline.specification import Specification

BASELINE = {"accuracy": 0.6, "mae": 10.0}


def spec(kind: str = "binary", **gate: Any) -> Specification:
    return Specification.model_validate(
        {"name": "p", "kind": kind, "schema": {"x": {"type": "number"}}, "target": "x", "gate": gate}
    )


def shows(distinct: int = 50, finite: bool = True, **metrics: float) -> Showing:
    return Showing(metrics=metrics, distinct=distinct, finite=finite)


def judge(
    challenger: Showing, champion: Showing | None = None, *, specification: Specification | None = None, **more: Any
) -> Verdict:
    given = {"baseline": BASELINE, "rows": 200, "label_kinds": 2, **more}
    return verdict_on(specification or spec(), challenger=challenger, champion=champion, **given)


def test_a_better_challenger_passes_and_the_verdict_says_by_how_much() -> None:
    verdict = judge(shows(accuracy=0.85), shows(accuracy=0.8))

    assert verdict.passed
    assert verdict.improvement == pytest.approx(0.05)
    assert "0.85 against the champion's 0.8 on 200 rows" in verdict.reason


def test_what_is_held_against_each_other_never_reads_the_same() -> None:
    passed = judge(shows(accuracy=0.850004), shows(accuracy=0.85))
    unproven = proven(passed, chance=0.2031, proof=0.2)
    short = judge(shows(accuracy=0.81996), shows(accuracy=0.8), specification=spec(min_improvement=0.02))
    calls = judge(shows(separation=1.0, anomaly_share=0.2004), specification=spec("anomaly"))

    assert "0.850004 against the champion's 0.85 " in passed.reason
    assert "a paired test gives 0.203 for chance alone; at most 0.2 is asked for" in unproven.reason
    assert "better by 0.01996, but gate.min_improvement asks for 0.02" in short.reason
    assert "calls 20.04% of the newest rows anomalous; at most 20%" in calls.reason


@pytest.mark.parametrize("accuracy", [0.8, 0.79])
def test_a_challenger_that_is_not_better_is_refused(accuracy: float) -> None:
    verdict = judge(shows(accuracy=accuracy), shows(accuracy=0.8))

    assert not verdict.passed
    assert "not better" in verdict.reason


def test_lower_is_better_for_errors() -> None:
    assert judge(shows(mae=3.0), shows(mae=4.0), specification=spec("regression")).passed
    assert not judge(shows(mae=5.0), shows(mae=4.0), specification=spec("regression")).passed


def test_less_than_the_improvement_asked_for_is_refused() -> None:
    asked = spec(min_improvement=0.02)

    verdict = judge(shows(accuracy=0.81), shows(accuracy=0.8), specification=asked)

    assert not verdict.passed
    assert "min_improvement" in verdict.reason


def test_a_first_model_need_only_beat_the_baseline() -> None:
    assert judge(shows(accuracy=0.7)).passed
    refused = judge(shows(accuracy=0.6))
    assert not refused.passed
    assert "baseline" in refused.reason
    assert judge(shows(accuracy=0.6), specification=spec(must_beat_baseline=False)).passed


@pytest.mark.parametrize(
    ("challenger", "more", "because"),
    [
        (shows(finite=False, accuracy=0.9), {}, "missing or infinite"),
        (shows(accuracy=math.nan), {}, "could not be computed"),
        (shows(), {}, "could not be computed"),
        (shows(distinct=1, accuracy=0.9), {}, "same answer"),
        (shows(accuracy=0.9), {"rows": 49}, "only 49 rows"),
        (shows(accuracy=0.9), {"rows": 0}, "only 0 rows"),
    ],
)
def test_what_cannot_be_judged_is_refused(challenger: Showing, more: dict[str, int], because: str) -> None:
    verdict = judge(challenger, shows(accuracy=0.5), **more)

    assert not verdict.passed
    assert because in verdict.reason


def test_a_champion_that_cannot_answer_these_rows_does_not_stand_in_the_way() -> None:
    assert judge(shows(accuracy=0.7), shows(finite=False)).passed


def test_an_anomaly_model_that_flags_everything_is_refused() -> None:
    anomaly = spec("anomaly")

    assert judge(shows(separation=0.9, anomaly_share=0.01), specification=anomaly, baseline=None).passed
    flags_all = judge(shows(separation=0.9, anomaly_share=0.6), specification=anomaly, baseline=None)
    assert not flags_all.passed
    assert "60%" in flags_all.reason


def test_the_specifications_own_metric_decides(specified: Callable[..., Specification]) -> None:
    by_f1 = specified(gate={"metric": "f1"})

    verdict = judge(shows(accuracy=0.9, f1=0.5), shows(accuracy=0.5, f1=0.6), specification=by_f1)

    assert not verdict.passed
    assert verdict.metric == "f1"
