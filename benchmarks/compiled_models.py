"""Compiled models beside the estimators they were made from: answers a second, by learner and batch size.

Real features of the electricity stream, feature rows in and `Answers` out as the predictor calls it, one
thread, per second of its processor time, so that other work on the machine counts little. Each round takes
both in turn; figures are medians over the rounds. Run it with `homeostat bench --only compiled-models`.
"""

from __future__ import annotations

import gc
import os
import statistics
import warnings
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from time import process_time
from typing import Any

os.environ.setdefault("OMP_NUM_THREADS", "1")

from rich.console import Console
from rich.table import Table

from benchmarks.common import keep, options_in_rounds
from benchmarks.opened import KEY
from homeostat.demo.offline import features_of
from homeostat.rows import frame_of, rows_of
from services.trainer.core.candidates import candidates_for
from services.trainer.core.fitting import data_of, fitted, model_of
from services.trainer.packing import kept
from shared.models.artifact import load, load_estimator
from shared.models.base import Model
from shared.models.store import MemoryStore
from shared.pipeline.load import load as load_specification
from shared.pipeline.specification import Specification

EXAMPLE = Path(__file__).parents[1] / "examples" / "electricity"
FOREST = "random-forest of 100"
LEARNERS = ("logistic", "hist-gradient-boosting", FOREST)
SIZES = (1, 16, 256, 4096)
LEAST_SECONDS = 0.2

Rows = list[dict[str, Any]]


@dataclass(frozen=True)
class Figure:
    """Answers a second of one learner at one batch size; `ratio` is the median of the rounds' ratios."""

    learner: str
    batch: int
    estimator: float
    compiled: float
    ratio: float


def main() -> int:
    arguments = options_in_rounds(__doc__)
    given = arguments.parse_args()
    warnings.simplefilter("ignore")
    specification = load_specification(EXAMPLE / "pipeline.yaml")
    rows, labels = rows_with_labels(specification)
    figures = []
    for learner in LEARNERS:
        estimator, compiled, apart = _both(specification, learner, rows, labels)
        gc.collect()
        gc.freeze()  # what was loaded by now is not gone through again while answers are made
        Console(stderr=True).print(f"{learner}: figures at most {apart:.1g} apart on {len(rows)} training rows")
        figures += [_figure(learner, size, estimator, compiled, rows, given.rounds) for size in SIZES]
    Console().print(_table(figures))
    keep([asdict(each) for each in figures], given.json)
    return 0


def rows_with_labels(specification: Specification) -> tuple[Rows, list[Any]]:
    """The features and labels of as many rows as a training takes."""
    table = rows_of(frame_of(str(EXAMPLE / "data.parquet")))[: specification.models.train_rows + 96]
    return features_of(specification, table), [row[str(specification.target)] for row in table]


def trained(specification: Specification, learner: str, rows: Rows, labels: list[Any]) -> Any:
    """One of `LEARNERS` with its default parameters."""
    data = data_of(specification, rows, labels)
    candidate = candidates_for(specification.kind, (learner.split(" ", maxsplit=1)[0],))[0]
    model: Any = fitted(candidate, candidate.defaults, data, specification.models.seed)
    if learner != FOREST:
        return model
    estimator = model.estimator.set_params(learner__n_estimators=100).fit(data.table, data.truth.astype(int))
    return model_of("sklearn", estimator, model.metadata)


def _both(specification: Specification, learner: str, rows: Rows, labels: list[Any]) -> tuple[Model, Model, float]:
    """The estimator and its compiled form, each out of the artefact, and how far apart they answered."""
    store = MemoryStore()
    packed = kept(trained(specification, learner, rows, labels), rows, store, KEY)
    apart = packed.form["largest_difference"]
    return load_estimator(packed.artifact, store, KEY), load(packed.artifact, store, KEY), apart


def _figure(learner: str, size: int, estimator: Model, compiled: Model, rows: Rows, rounds: int) -> Figure:
    batch = rows[-size:]
    pairs = [(_rate(estimator, batch), _rate(compiled, batch)) for _ in range(max(3, rounds))]
    slow, fast = (statistics.median(column) for column in zip(*pairs, strict=True))
    return Figure(learner, size, slow, fast, statistics.median(after / before for before, after in pairs))


def _rate(model: Model, batch: Rows) -> float:
    """Answers a second of processor time, over at least `LEAST_SECONDS` of it."""
    model.answer(batch)
    begun, calls = process_time(), 0
    while (taken := process_time() - begun) < LEAST_SECONDS:
        model.answer(batch)
        calls += 1
    return calls * len(batch) / taken


def _table(figures: Sequence[Figure]) -> Table:
    table = Table("learner", "rows a batch", "estimator, answers/s", "compiled, answers/s", "ratio")
    for each in figures:
        cells = (f"{each.estimator:,.0f}", f"{each.compiled:,.0f}", f"{each.ratio:,.1f}")
        table.add_row(each.learner, f"{each.batch:,}", *cells)
    return table


if __name__ == "__main__":
    raise SystemExit(main())
