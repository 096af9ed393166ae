"""Rates and latencies are made of the times that were taken, and of nothing else."""

from __future__ import annotations

import math

import pytest

from benchmarks.latency import Pace, latency_of
from benchmarks.streaming import rate_of


def test_a_rate_leaves_the_first_tenth_out() -> None:
    assert rate_of([0] * 10 + list(range(5_000, 5_090))) == pytest.approx(1_000)


def test_answers_that_came_out_of_order_are_as_fast() -> None:
    assert rate_of(list(range(100, 0, -1))) == rate_of(list(range(1, 101)))


def test_a_latency_is_from_an_events_own_send() -> None:
    sent = {f"e-{number}": float(number) for number in range(100)}
    received = {f"e-{number}": number + 0.001 * (number + 1) for number in range(100)}

    found = latency_of(sent, received)

    assert (found.p50, found.p99, found.worst) == (pytest.approx(51), pytest.approx(100), pytest.approx(100))
    assert found.answered == 1.0


def test_what_is_not_answered_or_not_asked_counts_in_the_share_alone() -> None:
    found = latency_of({"a": 1.0, "b": 1.0}, {"a": 1.002, "warm": 0.5})

    assert (found.answered, found.p50) == (0.5, pytest.approx(2.0))


def test_no_answers_have_no_latency() -> None:
    found = latency_of({"a": 1.0}, {})

    assert found.answered == 0
    assert math.isnan(found.p50)


def test_a_pace_sends_the_warm_seconds_too() -> None:
    assert Pace(rate=2_000, seconds=10, warm_seconds=2).events == 24_000
