"""Whose a loss is that shows soon after a new version went live, where labels come late."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

Make = Callable[..., Any]


def test_a_loss_that_the_version_before_had_met_is_not_the_new_versions(stream: Make) -> None:
    s = stream(warm=2000, delay=200)
    s.run(100, error=0.7)
    s.publish("2", accuracy=0.92)
    s.run(700, error=0.7)

    ((_, alert),) = s.alerts(state="firing")
    assert (alert.kind, alert.causes[0].kind) == ("concept_drift", "model")


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
