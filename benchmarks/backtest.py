"""A backtest without retraining beside river's plain loop on the same rows: rows a second.

The electricity stream through the whole loop, under a policy that only tells: with its checks and features, without
its one training. River's plain loop predicts and learns each row, at once, with nothing around it; its rows are made
before. Seconds are those of the processor, so that other work on the machine counts little; each round takes both in
turn, and figures are medians over the rounds. Run it with `homeostat bench --only backtest`.
"""

from __future__ import annotations

import os
import statistics
import tempfile
import warnings
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from time import process_time
from typing import Any

os.environ.setdefault("OMP_NUM_THREADS", "1")

from rich.console import Console
from rich.table import Table

from benchmarks.common import keep, options_in_rounds
from benchmarks.compiled_models import EXAMPLE
from homeostat.backtesting.columns import Columns
from homeostat.backtesting.features import FeatureTable, features_of
from homeostat.backtesting.history import History, history_of
from homeostat.backtesting.learners import run_of
from homeostat.backtesting.loop import Pace, replayed
from homeostat.rows import frame_of
from shared.models.inputs import inputs_from, river_rows
from shared.pipeline.load import load
from shared.pipeline.span import Span
from shared.pipeline.specification import Policy, Specification

TELLS = Policy.model_validate(
    {
        "name": "tell",
        "when": {"kinds": ["performance", "concept_drift", "data_quality", "data_drift"]},
        "ladder": [{"action": "notify", "undo": False}],
        "cooldown": "10m",
        "budget": {"actions": 3, "per": "1d"},
    }
)
BESIDE_ROWS = 10_000
LOOPS = {
    "linear": ("logistic", 100),
    "linear, 500 rows at a time": ("logistic", 500),
    "river's": ("river-logistic", 100),
}
"""What answers in the loop: the candidate that makes it, and how many rows arrive together."""

BESIDE = {"river-linear": "logistic", "river-adaptive-tree": "tree"}
"""Learners that a backtest holds itself against, and the learner of river's plain loop."""


@dataclass(frozen=True)
class Figure:
    """Rows a second, medians over the rounds; `ratio` is the median of the rounds' ratios, `best` the best round."""

    what: str
    rows: int
    backtest: float
    river: float
    ratio: float
    best: float


def main() -> int:
    arguments = options_in_rounds(__doc__)
    given = arguments.parse_args()
    warnings.simplefilter("ignore")
    rows = frame_of(str(EXAMPLE / "data.parquet"))
    whole, some = Columns.of_frame(rows), Columns.of_frame(rows[:BESIDE_ROWS])
    figures = [
        _figure(f"loop, {what}", _loop(candidate, Pace(batch=batch), whole), "logistic", whole, given.rounds)
        for what, (candidate, batch) in LOOPS.items()
    ]
    figures += [_figure(name, _beside(name, some), plain, some, given.rounds) for name, plain in BESIDE.items()]
    Console().print(_table(figures))
    keep([asdict(each) for each in figures], given.json)
    return 0


Rate = Callable[[], float]
"""Does the work once; rows a second."""


def _figure(what: str, ours: Rate, plain: str, columns: Columns, rounds: int) -> Figure:
    history, table = _history(_specification(()), columns)
    river = _plain(plain, history, table)
    pairs = [(ours(), river()) for _ in range(max(1, rounds))]
    mine, theirs = (statistics.median(column) for column in zip(*pairs, strict=True))
    ratio = statistics.median(a / b for a, b in pairs)
    return Figure(what, len(history), mine, theirs, ratio, max(rate for rate, _ in pairs))


def _loop(candidate: str, pace: Pace, columns: Columns) -> Rate:
    def rate() -> float:
        with tempfile.TemporaryDirectory() as folder:
            begun = process_time()
            history, table = _history(_specification((candidate,)), columns)
            told = replayed(history, table, pace, Path(folder), policies=(TELLS,))
            return len(history) / (process_time() - begun - told.training_processor_seconds)

    return rate


def _beside(name: str, columns: Columns) -> Rate:
    history, table = _history(_specification(()), columns)

    def rate() -> float:
        begun = process_time()
        run_of(name, history, table, (0, None), lambda _: None)  # type: ignore[arg-type]  # river takes no first model
        return len(history) / (process_time() - begun)

    return rate


def _plain(name: str, history: History, table: FeatureTable) -> Rate:
    rows = table.values.to_dicts()
    inputs = inputs_from(rows[: history.specification.models.min_rows], history.specification.feature_names)
    taken = list(zip(river_rows(rows, inputs), (history.labels[place] for place in table.places.tolist()), strict=True))

    def rate() -> float:
        learner = _learner(name)
        begun = process_time()
        for row, label in taken:
            learner.predict_one(row)
            learner.learn_one(row, label)
        return len(taken) / (process_time() - begun)

    return rate


def _learner(name: str) -> Any:
    from river import linear_model, preprocessing, tree

    learner = linear_model.LogisticRegression() if name == "logistic" else tree.HoeffdingAdaptiveTreeClassifier(seed=0)
    return preprocessing.StandardScaler() | learner


def _specification(candidates: Sequence[str]) -> Specification:
    document = load(EXAMPLE / "pipeline.yaml").canonical
    models = {**document["models"], "candidates": list(candidates)}
    return Specification.model_validate({**document, "models": models})


def _history(specification: Specification, columns: Columns) -> tuple[History, FeatureTable]:
    history = history_of(columns, specification, Span(time=specification.label_delay), 1.0)
    return history, features_of(history)


def _table(figures: Sequence[Figure]) -> Table:
    table = Table("backtest", "rows", "backtest, rows/s", "best", "river's plain loop, rows/s", "ratio")
    for each in figures:
        cells = (f"{each.backtest:,.0f}", f"{each.best:,.0f}", f"{each.river:,.0f}", f"{each.ratio:.2f}")
        table.add_row(each.what, f"{each.rows:,}", *cells)
    return table


if __name__ == "__main__":
    raise SystemExit(main())
