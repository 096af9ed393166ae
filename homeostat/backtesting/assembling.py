"""From runs to the result: every frame from what was said and answered."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from homeostat.backtesting import telling
from homeostat.backtesting.differences import differences_of
from homeostat.backtesting.findings import frame_of
from homeostat.backtesting.history import History
from homeostat.backtesting.learners import Run
from homeostat.backtesting.loop import Pace, Told
from homeostat.backtesting.result import Backtest
from homeostat.backtesting.scores import Floats, line_of, mean_of, metric_of, scores_of, window_of
from shared.pipeline.specification import Specification

Line = dict[str, Any]


@dataclass(slots=True)
class Runs:
    """What was run: the loop by policy, others by name. `since`: the first row that the loop answered."""

    history: History
    pace: Pace
    measured: dict[str, float]
    told: dict[str, Told] = field(default_factory=dict)
    others: dict[str, Run] = field(default_factory=dict)
    since: int | None = None

    @property
    def specification(self) -> Specification:
        return self.history.specification

    def scores(self) -> dict[str, Floats]:
        """Each row's share in the metric, by who answered."""
        answers = {who: told.values for who, told in self.told.items()}
        answers |= {who: run.answers for who, run in self.others.items()}
        kind, labels = self.specification.kind, self.history.labels
        return {who: scores_of(given, labels, kind) for who, given in answers.items()}

    def trainings(self, who: str) -> Sequence[int]:
        """The rows at which someone was trained anew."""
        return self.told[who].trainings if who in self.told else self.others[who].trained_at


def result_of(runs: Runs, hints: tuple[str, ...]) -> Backtest:
    """The result. Nothing in it but `measured` depends on the machine or the hour."""
    history, pace, specification = runs.history, runs.pace, runs.specification
    window = window_of(len(history), specification.monitor.performance_window)
    frames = _frames(runs, window)
    return Backtest(
        pipeline=specification.name,
        kind=specification.kind,
        metric=metric_of(specification.kind),
        rows=len(history),
        window=window,
        compared_from=len(history) if runs.since is None else runs.since,
        seed=specification.models.seed,
        pace={"batch": pace.batch, "rate": pace.rate, "training_seconds": pace.training_seconds},
        treatments=history.treatments,
        hints=hints,
        measured=runs.measured,
        **{name: frame_of(name, lines) for name, lines in frames.items()},
    )


def _frames(runs: Runs, window: int) -> dict[str, list[Line]]:
    scores, told = runs.scores(), runs.told.items()
    seconds = runs.pace.training_seconds
    actions = [line for who, said in told for line in telling.actions_of(said, who, seconds)]
    return {
        "summary": [_summary(runs, who, found) for who, found in scores.items()],
        "accuracy": [line for who, found in scores.items() for line in _line(runs.history, who, found, window)],
        "alerts": [line for who, said in told for line in telling.alerts_of(said, who)],
        "decisions": [line for who, said in told for line in telling.decisions_of(said, who)],
        "actions": actions,
        "versions": [line for who, said in told for line in telling.versions_of(said, who)],
        "differences": differences_of(actions, tuple(runs.told)),
    }


def _line(history: History, who: str, scores: Floats, window: int) -> list[Line]:
    return [
        {"who": who, "row": row, "at": history.time_of(row), "value": value, "rows": rows}
        for row, value, rows in line_of(scores, window)
    ]


def _summary(runs: Runs, who: str, scores: Floats) -> Line:
    counted = scores[len(scores) if runs.since is None else runs.since :]
    known = int((~np.isnan(counted)).sum())
    trainings = len(runs.trainings(who))
    told = runs.told.get(who)
    counts: Line = dict.fromkeys(telling.COUNTS) if told is None else dict(telling.counts_of(told))
    return {
        "who": who,
        "value": mean_of(counted),
        "rows": known,
        "unanswered": len(counted) - known,
        "trainings": trainings,
        "training_seconds": trainings * runs.pace.training_seconds,
        **counts,
    }
