"""Labels in time, answers in time, slices alike: real rows in random order, without and with a planted fault."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import timedelta
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from shared.messages import Alert
from tests.services.monitor.real import History, Replay, specification

pytestmark = pytest.mark.xdist_group("objectives")

CALM = 12_000
SLICES = ("day", "period")


def prompt(rng: np.random.Generator, rows: int) -> NDArray[np.float64]:
    """Times from arrival to answer; one in 200 over the objective of a second."""
    return np.where(rng.random(rows) < 0.005, 2.0, rng.gamma(2.0, 0.02, rows))


@pytest.fixture(scope="module")
def history() -> History:
    return History()


@pytest.fixture(scope="module")
def slice_of(history: History) -> NDArray[np.int64]:
    """To which row each row's slices belong: in random order, so that no slice is harder than another."""
    return np.random.default_rng(5).permutation(len(history.table))


@pytest.fixture(scope="module")
def calm(history: History, slice_of: NDArray[np.int64]) -> Replay:
    """12,000 rows in which nothing happens; each test goes on from here by itself."""
    made = Replay(history, specification(slices=SLICES))
    rng = np.random.default_rng(1)
    made.run(CALM, fields=_slices(history, slice_of), waits=lambda rows: prompt(rng, rows))
    return made


def _slices(history: History, slice_of: NDArray[np.int64]) -> Callable[[int], Mapping[str, Any]]:
    return lambda row: {name: history.table[slice_of[row]][name] for name in SLICES}


def test_where_nothing_changes_no_label_answer_or_slice_is_complained_of(calm: Replay) -> None:
    assert [alert.kind for _, alert in calm.alerts() if alert.kind in ("lag", "latency", "fairness")] == []


def test_performance_is_told_by_slice(calm: Replay) -> None:
    newest = calm.metrics("performance")[-1]

    days = {name: values for name, values in newest.by_slice.items() if name.startswith("day")}
    assert set(days) <= {f"day = {day}" for day in range(1, 8)}
    assert len(days) >= 5
    assert all(values["rows"] >= 20 and 0 <= values["accuracy"] <= 1 for values in newest.by_slice.values())


def test_answers_time_is_told_with_the_data(calm: Replay) -> None:
    values = calm.metrics("data")[-1].values

    assert 80 < values["latency_p99_ms"] < 2500
    assert values["latency_over"] < 0.05


def test_labels_that_stop_are_noticed_and_their_return_ends_it(calm: Replay) -> None:
    story = calm.branch()

    story.run(2000, labels=False)
    story.run(1000)

    (found, firing), (over, resolved) = story.alerts("lag")
    assert found - CALM <= 600
    assert (firing.severity, firing.causes[0].kind, firing.causes[0].what) == ("info", "label", "labels")
    assert firing.evidence.value < firing.evidence.threshold < firing.evidence.baseline  # type: ignore[operator]
    assert abs(firing.evidence.window.first_row - (CALM - 96)) <= 50
    assert "estimated accuracy" in firing.summary
    assert resolved.state == "resolved"
    assert over <= CALM + 2000 + 400


def test_while_labels_are_missing_the_estimate_is_what_counts(calm: Replay) -> None:
    story = calm.branch()
    place = ("homeostat_performance", (("pipeline", "electricity"), ("metric", "accuracy")))
    measured = story.monitor.gauges()[place]

    story.run(1500, labels=False)

    estimate = story.metrics("estimate")[-1].values["accuracy"]
    assert story.monitor.gauges()[place] == estimate != measured


@pytest.mark.parametrize(("delay", "expected"), [(timedelta(0), 250 / 1993), (timedelta(days=30), 250 / (535 + 182))])
def test_completeness_is_judged_over_rows_whose_labels_are_due(
    history: History, delay: timedelta, expected: float
) -> None:
    story = Replay(history, specification().model_copy(update={"label_delay": delay}))
    story.run(2000, labels=False)

    story.send_labels([label for place, label in enumerate(story.unsent) if place % 8 == 0])

    assert story.metrics("performance")[0].completeness == pytest.approx(expected, rel=0.02)


def test_answers_that_stay_late_are_noticed_then_warned_of_and_their_end_is_told(calm: Replay) -> None:
    story = calm.branch()
    rng = np.random.default_rng(2)

    story.run(5000, waits=lambda rows: rng.gamma(2.0, 1.0, rows))
    story.run(2000, waits=lambda rows: prompt(rng, rows))

    (found, first), (warned, lasting), (_, resolved) = story.alerts("latency")
    assert (first.severity, lasting.severity, resolved.state) == ("info", "warning", "resolved")
    assert found - CALM <= 1500
    assert warned - CALM <= 4000
    assert first.evidence.value > first.evidence.threshold == 1000
    assert [cause.kind for cause in lasting.causes] == ["load"]


def test_answers_that_are_late_since_a_version_went_live_are_its_fault(calm: Replay) -> None:
    story = calm.branch()
    rng = np.random.default_rng(3)

    story.publish("2")
    story.run(2000, waits=lambda rows: rng.gamma(2.0, 1.0, rows))

    newest = story.alerts("latency")[-1][1]
    assert newest.severity == "warning"
    assert [(cause.kind, cause.what) for cause in newest.causes] == [("version", "2")]


def test_what_the_monitor_reads_late_itself_is_no_evidence_of_late_answers(calm: Replay) -> None:
    story = calm.branch()

    story.now += timedelta(minutes=5)
    story.run(1000, waits=lambda rows: np.full(rows, 300.0))

    assert story.alerts("latency") == []


def test_a_slice_that_is_answered_worse_is_found_and_its_mending_too(
    calm: Replay, history: History, slice_of: NDArray[np.int64]
) -> None:
    story = calm.branch()
    days = np.array([row["day"] for row in history.table])[slice_of]
    rng = np.random.default_rng(6)

    story.run(
        4000, fields=_slices(history, slice_of), wrong=lambda rows: (days[rows] == 3) & (rng.random(len(rows)) < 0.6)
    )
    story.run(8000, fields=_slices(history, slice_of))

    (found, firing), (_, resolved) = story.alerts("fairness")
    assert found - CALM <= 2500
    assert firing.causes[0].kind == "slice"
    assert firing.causes[0].what == "day = 3"
    assert firing.evidence.value < firing.evidence.threshold
    assert firing.evidence.samples >= 50
    assert (resolved.state, resolved.fingerprint) == ("resolved", firing.fingerprint)


def test_a_slice_that_a_new_version_answers_worse_is_the_versions_fault(
    calm: Replay, history: History, slice_of: NDArray[np.int64]
) -> None:
    story = calm.branch()
    days = np.array([row["day"] for row in history.table])[slice_of]
    rng = np.random.default_rng(7)

    story.publish("2")
    story.run(
        6000, fields=_slices(history, slice_of), wrong=lambda rows: (days[rows] == 5) & (rng.random(len(rows)) < 0.6)
    )

    firing: Alert = story.alerts("fairness")[0][1]
    assert [(cause.kind, cause.what) for cause in firing.causes] == [("version", "2"), ("slice", "day = 5")]


def test_what_makes_all_rows_worse_is_not_unfair(calm: Replay, history: History, slice_of: NDArray[np.int64]) -> None:
    story = calm.branch()
    rng = np.random.default_rng(8)

    story.run(6000, fields=_slices(history, slice_of), wrong=lambda rows: rng.random(len(rows)) < 0.4)

    assert story.alerts("fairness") == []
    assert story.alerts("concept_drift")


def test_restored_in_the_middle_of_trouble_it_says_what_it_would_have_said(calm: Replay) -> None:
    story = calm.branch()
    story.run(600, labels=False, waits=lambda rows: np.full(rows, 3.0))
    restored = story.branch()
    before = len(story.said)

    for one in (story, restored):
        one.run(1400, labels=False, waits=lambda rows: np.full(rows, 3.0))

    assert restored.said == story.said[before:]
    assert {alert.kind for _, alert in restored.alerts()} >= {"latency"}
