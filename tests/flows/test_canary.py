"""A challenger takes its first traffic: as good as the champion it gets more and then all, worse it is undone."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from shared.messages import Alert, ModelPublished, Prediction
from shared.topics import ALERTS, METRICS, MODEL_PUBLISHED, PREDICTIONS
from tests.flows.loop import Loop

pytestmark = pytest.mark.xdist_group("canary")

WARM_UP = 2000
BATCH = 100
LABEL_LAG = 100
STEPS = [{"weight": 0.2, "rows": 1000}, {"weight": 0.5, "rows": 1000}]
PLAIN = ("day", "period", "nswprice", "nswdemand", "vicprice", "vicdemand", "transfer")
CHANGES: dict[str, Any] = {
    "key": None,
    "features": {name: name for name in PLAIN},
    "models": {"candidates": ["logistic"], "min_rows": 2000, "train_rows": 2000},
    "gate": {"min_improvement": -0.05},
    "release": {"canary": STEPS},
}


class Trial:
    """The electricity example, every event an entity of its own, with a challenger that has to prove itself."""

    def __init__(self, folder: Path) -> None:
        self.loop = Loop("electricity", folder, training_seconds=2.0, changes=CHANGES)
        self.row = 0
        self.unsent: list[tuple[str, int]] = []

    def run(self, until: int, turned: Callable[[], bool] = lambda: False) -> None:
        """Rows up to `until`; `turned` says whether the labels that come now are the wrong way round."""
        simulation = self.loop.simulation
        while self.row < until:
            rows = self.loop.table[self.row : self.row + BATCH]
            simulation.put_rows(rows, source="market")
            self.unsent += [(str(row["id"]), int(row["target"])) for row in rows]
            due, self.unsent = self.unsent[:-LABEL_LAG], self.unsent[-LABEL_LAG:]
            wrong = turned()
            simulation.put_labels([(name, 1 - truth if wrong else truth) for name, truth in due], source="settlement")
            self.row += BATCH
            simulation.advance(1.0)

    def published(self, version: str | None = None) -> list[ModelPublished]:
        found: list[ModelPublished] = self.loop.runtime.messages(MODEL_PUBLISHED)
        return [m for m in found if version in (None, m.version)]

    def tried(self) -> str:
        """The version that took the first traffic of a canary."""
        return next(m.version for m in self.published() if m.stage == "canary")

    def answers(self) -> list[Prediction]:
        found: list[Prediction] = self.loop.runtime.messages(PREDICTIONS)
        return found

    def alerts(self, *kinds: str) -> list[Alert]:
        return [alert for alert in self.loop.runtime.messages(ALERTS) if alert.kind in kinds]


@pytest.fixture(scope="module")
def good(tmp_path_factory: pytest.TempPathFactory) -> Trial:
    trial = Trial(tmp_path_factory.mktemp("good"))
    trial.run(WARM_UP + 1000)
    trial.loop.ask("retrain", {})
    trial.run(8000)
    return trial


@pytest.fixture(scope="module")
def bad(tmp_path_factory: pytest.TempPathFactory) -> Trial:
    """The challenger is made while labels are the wrong way round, and judged when they are right again."""
    trial = Trial(tmp_path_factory.mktemp("bad"))
    trial.run(WARM_UP + 1000)
    trial.run(9000, turned=lambda: not any(m.stage == "canary" for m in trial.published()))
    return trial


def test_a_challenger_as_good_as_the_champion_takes_every_step_and_then_all(good: Trial) -> None:
    steps = [(m.stage, m.weight) for m in good.published(good.tried())]

    assert steps == [("canary", 0.2), ("canary", 0.5), ("champion", 1.0)]
    assert good.answers()[-1].model_version == good.tried()


def test_a_canary_answers_its_share_and_nothing_twice(good: Trial) -> None:
    answers = good.answers()
    version = good.tried()
    own = [place for place, answer in enumerate(answers) if answer.role == "canary"]
    first = answers[own[0] : own[0] + 1000]

    assert len({answer.id for answer in answers}) == len(answers) == good.row
    assert {answers[place].model_version for place in own} == {version}
    assert 0.15 < sum(answer.role == "canary" for answer in first) / len(first) < 0.25


def test_canary_and_champion_are_measured_on_the_same_stretch(good: Trial) -> None:
    windows = [m for m in good.loop.runtime.messages(METRICS) if m.family == "performance"]

    both = [m for m in windows if len(m.by_version) == 2]
    assert len(both) >= 2
    assert all(values["rows"] > 0 and "accuracy" in values for m in both for values in m.by_version.values())


def test_nothing_is_undone_of_a_good_challenger(good: Trial) -> None:
    assert not any(m.stage == "retired" for m in good.published(good.tried()))
    assert [alert for alert in good.alerts("performance") if alert.causes[0].what == good.tried()] == []


def test_a_challenger_that_answers_worse_is_undone_before_it_takes_more(bad: Trial) -> None:
    steps = [(m.stage, m.weight) for m in bad.published(bad.tried())]

    assert steps[0] == ("canary", 0.2)
    assert steps[-1][0] == "retired"
    assert "champion" not in [stage for stage, _ in steps]


def test_no_more_than_its_share_was_answered_by_the_worse_challenger(bad: Trial) -> None:
    answers = bad.answers()
    own = [place for place, answer in enumerate(answers) if answer.model_version == bad.tried()]

    assert len(own) <= 0.25 * (own[-1] - own[0] + 1)
    assert own[-1] - own[0] <= 1200
    assert answers[-1].model_version != bad.tried()
