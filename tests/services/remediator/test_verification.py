"""An effect is what was measured on the rows it is judged by, as last corrected."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from services.remediator.core.knowledge import Knowledge, measured
from services.remediator.core.verification import Loss, bound_of, loss_of, mean_of
from shared.messages import Alert, Evidence, Metrics, Window
from tests.support.desk import Desk

NOW = datetime(2026, 1, 1, tzinfo=UTC)


def window(index: int, accuracy: float, *, revision: int = 0, rows: int = 100) -> Metrics:
    first = index * 100
    return Metrics(
        pipeline="p", family="performance", at=NOW, values={"accuracy": accuracy}, revision=revision,
        rows_seen=first + 100,
        window=Window(index=index, first_row=first, last_row=first + 99, rows=rows),
    )  # fmt: skip


def known(*windows: Metrics) -> Knowledge:
    found = Knowledge(pipeline="p")
    for each in windows:
        found = measured(found, each)
    return found


def alert(statistic: str, value: float, baseline: float | None, since: int = 200) -> Alert:
    change = Window(index=2, first_row=since, last_row=since + 99, rows=100)
    evidence = Evidence(
        statistic=statistic, value=value, threshold=0.0, window=change, samples=100, baseline=baseline, change=change
    )
    return Alert(
        id="a", fingerprint="f", pipeline="p", kind="concept_drift", severity="critical", state="firing", since=NOW,
        at=NOW, summary="", evidence=evidence,
    )  # fmt: skip


@pytest.mark.parametrize("order", [(0, 1), (1, 0)])
def test_the_highest_revision_of_a_window_counts_whenever_it_comes(order: tuple[int, int]) -> None:
    revisions = {0: window(0, 0.5, revision=0), 1: window(0, 0.8, revision=1)}
    found = known(*(revisions[number] for number in order))
    assert mean_of(found, "performance.accuracy", last_before=1000) == 0.8


def test_windows_weigh_by_their_rows() -> None:
    found = known(window(0, 0.5, rows=100), window(1, 0.9, rows=300))
    assert mean_of(found, "performance.accuracy", last_before=1000) == pytest.approx(0.8)


def test_totals_never_fall() -> None:
    assert known(window(5, 0.9), window(1, 0.9)).rows_seen == 600


@pytest.mark.parametrize(
    ("statistic", "value", "baseline", "expected"),
    [
        ("accuracy", 0.6, 0.9, Loss(0.9, 0.6)),
        ("performance.accuracy", 0.6, 0.9, Loss(0.9, 0.6)),
        ("error_rate", 0.4, 0.1, Loss(0.9, 0.6)),
        ("psi.prediction", 0.4, None, Loss(0.85, 0.55)),
    ],
)
def test_a_loss_is_told_in_the_metric_it_will_be_judged_in(
    statistic: str, value: float, baseline: float | None, expected: Loss
) -> None:
    found = known(window(0, 0.9), window(1, 0.8), window(2, 0.6), window(3, 0.5))
    loss = loss_of(alert(statistic, value, baseline), "performance.accuracy", found)
    assert loss is not None
    assert loss == pytest.approx(expected)


def test_what_is_no_loss_gives_no_bound() -> None:
    assert loss_of(alert("accuracy", 0.9, 0.9), "performance.accuracy", Knowledge(pipeline="p")) is None
    assert loss_of(alert("accuracy", float("nan"), 0.9), "performance.accuracy", Knowledge(pipeline="p")) is None


def test_winning_everything_back_is_the_baseline_itself() -> None:
    assert bound_of(Loss(0.9, 0.6), recover=1.0) == 0.9


def test_rows_of_the_version_before_do_not_verify_a_rollback() -> None:
    desk = Desk()
    desk.steady()
    desk.model("2")
    desk.pass_rows(0.5, version="2")
    desk.alert("performance", ("version", "2"), severity="critical", value=0.5, since_row=1000)
    desk.model("1", command=desk.last.id)
    desk.answer(desk.last, version="1")
    desk.pass_rows(0.4, version="2", rows=500)
    assert desk.state == "verifying", "these rows were answered by version 2"
    desk.pass_rows(0.9, version="1", rows=500)
    assert desk.state == "resolved"


def test_a_retrain_that_came_late_is_held_against_what_was_measured_just_before_it() -> None:
    desk = Desk()
    desk.steady()
    desk.alert("concept_drift", ("model", "1"), severity="critical", value=0.8, since_row=1000)
    desk.answer(desk.last, "failed", detail="no better")
    for _ in range(5):
        desk.pass_rows(0.2)
    assert desk.actions == ["retrain", "retrain"]

    desk.retrained(desk.last, "2")
    desk.pass_rows(0.6, version="2")
    desk.pass_rows(0.6, version="2")

    assert "rollback" not in desk.actions, (
        "0.6 is less than the 0.8 of the alert, and far more than version 1 had since"
    )
