"""What the answers alone say of a version."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from tests.services.monitor.releases import ordered

Make = Callable[..., Any]


def shifted_answers(s: Any) -> None:
    """From here on the model always says 1."""
    plain = s._answer
    s._answer = lambda name, truth, wrong, offset: plain(name, 1, False, offset)


@pytest.mark.parametrize(("action", "early"), [("retrain", "info"), ("promote", "warning")])
def test_a_retrained_version_may_answer_differently_unless_labels_stay_away(
    stream: Make, action: str, early: str
) -> None:
    s = stream(warm=2000)
    ordered(s, action)
    s.publish("2", command="c")
    shifted_answers(s)
    s.run(500, labels=False)
    assert [a.severity for _, a in s.alerts("prediction_drift")] == [early]
    s.run(600, labels=False)
    assert s.alerts("prediction_drift")[-1][1].severity == "warning"


def test_a_bad_release_without_labels_shows_in_its_answers(stream: Make) -> None:
    s = stream(warm=2000)
    ordered(s, "promote")
    s.publish("2", command="c")
    always = s._answer
    s._answer = lambda name, truth, wrong, offset: always(name, 1, False, offset)
    s.run(1000, labels=False)
    kinds = {(a.kind, a.severity, a.causes[0].what) for _, a in s.alerts("prediction_drift")}
    assert ("prediction_drift", "warning", "2") in kinds


def test_what_was_said_of_a_version_s_answers_is_over_once_it_answers_no_more(stream: Make) -> None:
    s = stream(warm=2000)
    s.publish("2")
    shifted_answers(s)
    s.run(500, labels=False)
    assert [a.state for _, a in s.alerts("prediction_drift")] == ["firing"]

    s.publish("3")

    (_, over) = s.alerts("prediction_drift")[-1]
    assert (over.state, over.summary) == ("resolved", "version 2 answers no more")


def test_that_is_so_too_where_the_next_version_answers_before_it_is_announced(stream: Make) -> None:
    s = stream(warm=2000)
    s.publish("2")
    shifted_answers(s)
    s.run(500, labels=False)

    s.version = "3"
    s.run(50, labels=False)
    s.publish("3")

    (_, over) = s.alerts("prediction_drift")[-1]
    assert (over.state, over.summary) == ("resolved", "version 2 answers no more")
