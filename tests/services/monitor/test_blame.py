"""Whose a loss is that shows soon after a new version went live, where labels come late."""

from __future__ import annotations

from collections.abc import Callable
from itertools import cycle
from typing import Any

import pytest
from msgspec import structs

from tests.services.monitor.releases import ordered

Make = Callable[..., Any]


def test_a_loss_that_the_version_before_had_met_is_not_the_new_versions(stream: Make) -> None:
    s = stream(warm=2000, delay=200)
    s.run(100, error=0.7)
    s.publish("2", accuracy=0.92)
    s.run(700, error=0.7)

    ((_, alert),) = s.alerts(state="firing")
    assert (alert.kind, alert.causes[0].kind) == ("concept_drift", "model")


@pytest.mark.parametrize(("delay", "rows"), [(0, 150), (0, 200), (200, 100), (200, 400), (500, 300)])
def test_a_loss_that_is_not_raised_yet_as_a_new_version_goes_live_is_told_from_its_beginning(
    stream: Make, delay: int, rows: int
) -> None:
    s = stream(warm=2000, delay=delay)
    began = s.row
    s.run(rows, error=0.7)
    s.publish("2", accuracy=0.92)
    s.run(1000, error=0.7)

    ((_, alert),) = s.alerts(state="firing")
    assert (alert.kind, alert.causes[0].kind) == ("concept_drift", "model")
    assert abs(alert.evidence.change.first_row - began) <= 25  # type: ignore[union-attr]
    assert alert.evidence.baseline == pytest.approx(0.9, abs=0.03)
    assert alert.evidence.value == pytest.approx(0.3, abs=0.05)


def test_of_two_bad_versions_chosen_before_any_label_of_the_first_the_second_is_blamed_too(stream: Make) -> None:
    s = stream(warm=2000, delay=500)
    for version in ("2", "3"):
        s.publish(version, accuracy=0.9)
        s.run(2000)
    for version in ("1", "2"):
        ordered(s, "promote")
        s.publish(version, accuracy=0.9, command="c")
        s.run(500, error=0.7)
    s.run(500, error=0.7)

    ((_, alert),) = s.alerts(state="firing")
    assert (alert.kind, alert.causes[0].kind, alert.causes[0].what) == ("performance", "version", "2")
    assert alert.evidence.baseline == pytest.approx(0.9, abs=0.03)


def test_a_loss_that_begins_with_the_version_is_its_fault_however_late_labels_are(stream: Make) -> None:
    s = stream(warm=2000, delay=200)
    s.publish("2", accuracy=0.92)
    s.run(700, error=0.7)

    ((_, alert),) = s.alerts(state="firing")
    assert (alert.kind, alert.causes[0].kind, alert.causes[0].what) == ("performance", "version", "2")


def test_a_version_is_blamed_though_the_one_it_replaced_never_answered(stream: Make) -> None:
    s = stream(warm=2000)
    s.publish("2", accuracy=0.92)
    s.publish("3", accuracy=0.1)
    s.run(400, error=0.9)

    ((_, alert),) = s.alerts(state="firing")
    assert (alert.kind, alert.causes[0].kind, alert.causes[0].what) == ("performance", "version", "3")


@pytest.mark.parametrize("announced_first", [True, False])
def test_a_loss_that_begins_with_the_version_is_its_fault_however_far_behind_the_answers_are(
    stream: Make, announced_first: bool
) -> None:
    s = stream(warm=2000, delay=600)
    s.behind = 500
    s.run(1500)
    s.publish("2", accuracy=0.1) if announced_first else None
    s.version = "2"
    s.run(100, error=0.9)
    s.publish("2", accuracy=0.1)
    s.run(1200, error=0.9)

    ((row, alert),) = s.alerts(state="firing")
    assert (alert.kind, alert.causes[0].kind, alert.causes[0].what) == ("performance", "version", "2")
    assert row <= s.row - 1200 + 600


@pytest.mark.parametrize(("action", "cause"), [("promote", "version"), ("rollback", "model")])
def test_a_version_that_comes_back_and_is_worse_is_at_fault_where_it_was_chosen(
    stream: Make, action: str, cause: str
) -> None:
    s = stream(warm=2000)
    s.publish("2", accuracy=0.92)
    s.run(1000)
    ordered(s, action)
    s.publish("1", accuracy=0.9, command="c")
    s.run(600, error=0.6)

    ((_, alert),) = s.alerts(state="firing")
    assert (alert.causes[0].kind, alert.causes[0].what) == (cause, "1")


def test_labels_of_another_source_that_disagree_with_the_next_version_are_the_same_alert(stream: Make) -> None:
    s = stream(delay=10**9)
    labelled(s, 1000)
    s.publish("1", accuracy=0.9)
    labelled(s, 2000)
    labelled(s, 300, wrong="b")
    assert [alert.causes[0].what for _, alert in s.alerts(state="firing")] == ["b"]
    s.publish("2", accuracy=0.9)
    labelled(s, 300, sources="acc", wrong="c")

    states = [(alert.state, alert.causes[0].what) for _, alert in s.alerts("data_quality")]
    assert states == [("firing", "b"), ("firing", "c")], "it goes on, and is not ended in the same breath"


def labelled(s: Any, rows: int, *, sources: str = "abc", wrong: str = "") -> None:
    """Rows whose labels come from these sources in turn; those of `wrong` are turned round."""
    for _ in range(rows // 100):
        s.run(100)
        taken = zip(s.waiting, cycle(sources), strict=False)
        turned = [structs.replace(one, source=by, label=one.label ^ (by == wrong)) for one, by in taken]
        s.waiting = []
        s.label(turned)
