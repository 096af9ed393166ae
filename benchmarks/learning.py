"""Linear learners online: each row is answered, then learnt; rows a second, and how right the answers were.

Ours beside river's `StandardScaler | LogisticRegression` (one against the rest for more than two classes) and
`StandardScaler | LinearRegression`, all with river's defaults, on this project's streams and on those that river
brings. The rows are columns for ours and dictionaries for river's before the clock starts. Ours is handed a thousand
rows at a time, as a backtest does, and a hundred. Rows a second of the processor, one thread. Run it with
`homeostat bench --only learning`; `--also data.parquet:target` adds a stream of one's own.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from statistics import median
from time import process_time
from typing import Any

os.environ.setdefault("OMP_NUM_THREADS", "1")
os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")

import numpy as np
import polars as pl
from rich.console import Console
from rich.table import Table

from benchmarks.common import in_turn, keep, options_in_rounds, ratio_of
from benchmarks.compiled_models import EXAMPLE
from homeostat.backtesting.linear import predicted, rows_of
from homeostat.backtesting.online import OnlineLinear, Rows
from services.trainer.core.fitting import truth_of
from services.trainer.core.preprocessing import river_pipeline
from shared.messages import Value
from shared.models.inputs import inputs_from, river_rows
from shared.models.metadata import Input

BIKES = EXAMPLE.parent / "bike-rentals"
AT_ONCE = (1_000, 100)
MANY_CLASSES = 50
"""A target of whole numbers with more values than this is a number."""


@dataclass(frozen=True)
class Stream:
    """Rows in order, as each side takes them. `truth` are numbers, or positions in `classes`."""

    name: str
    inputs: tuple[Input, ...]
    rows: Rows
    codes: list[int]
    dicts: list[dict[str, float | str]]
    truth: np.ndarray[Any, np.dtype[np.float64]]
    classes: tuple[Value, ...]


def main() -> int:
    arguments = options_in_rounds(__doc__)
    arguments.add_argument("--also", action="append", default=[], metavar="FILE:TARGET", help="a stream of one's own")
    given = arguments.parse_args()
    streams = [*_ours(), *_rivers(), *(_of_file(*each.rsplit(":", 1)) for each in given.also)]
    lines = [_line(stream, given.rounds) for stream in streams]
    Console().print(_table(lines))
    keep(lines, given.json)
    return 0


def _line(stream: Stream, rounds: int) -> dict[str, Any]:
    """What each showed on a stream, and how far apart the answers are."""
    answers: dict[str, list[Any]] = {}

    def timed(name: str, learn: Callable[[], list[Any]]) -> float:
        begun = process_time()
        found = learn()
        seconds = process_time() - begun
        answers[name] = found
        return len(stream.dicts) / seconds

    ways: dict[str, Callable[[], list[Any]]] = {str(each): partial(_by_blocks, stream, each) for each in AT_ONCE}
    ways["river"] = partial(_by_rows, stream)
    shown = in_turn({name: partial(timed, name, way) for name, way in ways.items()}, rounds)
    return {
        "stream": stream.name,
        "rows": len(stream.dicts),
        "inputs": len(stream.inputs),
        "measure": "accuracy" if stream.classes else "mean absolute error",
        "rows_a_second": {name: median(figures) for name, figures in shown.items()},
        "ratios": {name: ratio_of(shown[name], shown["river"]) for name in map(str, AT_ONCE)},
        "right": {name: _measured(stream, found) for name, found in answers.items()},
        "apart": _apart(stream, answers[str(AT_ONCE[0])], answers["river"]),
    }


def _by_blocks(stream: Stream, at_once: int) -> list[Any]:
    learner = OnlineLinear(stream.rows.numbers.shape[1], stream.codes, len(stream.classes))
    answers: list[Any] = []
    for start in range(0, len(stream.truth), at_once):
        rows, truth = stream.rows.part(start, start + at_once), stream.truth[start : start + at_once]
        figures = learner.answers(rows, np.arange(len(truth)), rows, truth)
        answers += predicted(figures, range(len(stream.classes)))
    return answers


def _by_rows(stream: Stream) -> list[Any]:
    from river import linear_model, multiclass, preprocessing

    learner: Any = linear_model.LinearRegression()
    truth: list[Any] = stream.truth.tolist()
    if len(stream.classes) == 2:
        learner, truth = linear_model.LogisticRegression(), [each == 1 for each in truth]
    elif stream.classes:
        learner, truth = multiclass.OneVsRestClassifier(linear_model.LogisticRegression()), [int(t) for t in truth]
    pipeline = river_pipeline(stream.inputs, learner, scaler=preprocessing.StandardScaler())
    answers = []
    for row, label in zip(stream.dicts, truth, strict=True):
        answers.append(pipeline.predict_one(row))
        pipeline.learn_one(row, label)
    return answers


def _measured(stream: Stream, answers: Sequence[Any]) -> float:
    """Accuracy, or the mean absolute error."""
    if stream.classes:
        return sum(one == other for one, other in zip(answers, stream.truth.tolist(), strict=True)) / len(answers)
    return float(np.abs(np.array(answers) - stream.truth).mean())


def _apart(stream: Stream, ours: Sequence[Any], theirs: Sequence[Any]) -> float:
    """How many rows are answered otherwise; of numbers the greatest difference, in deviations of the target."""
    if stream.classes:
        return float(sum(one != other for one, other in zip(ours, theirs, strict=True)))
    return float(np.abs(np.subtract(ours, theirs)).max() / stream.truth.std())


def _ours() -> list[Stream]:
    return [
        _stream("electricity", pl.read_parquet(EXAMPLE / "data.parquet").drop("id", "at"), "target"),
        _stream("bike rentals", pl.read_parquet(BIKES / "data.parquet").drop("timestamp"), "rentals"),
    ]


def _rivers() -> list[Stream]:
    from river import datasets

    kinds = (datasets.Phishing, datasets.Bananas, datasets.ImageSegments, datasets.TrumpApproval)
    return [
        _stream(f"river's {kind.__name__}", pl.DataFrame([{**row, "": label} for row, label in kind()]), "")
        for kind in kinds
    ]


def _of_file(path: str, target: str) -> Stream:
    return _stream(Path(path).parent.name, pl.read_parquet(path), target)


def _stream(name: str, frame: pl.DataFrame, target: str) -> Stream:
    labels = frame[target].to_list()
    frame = frame.drop(target).select(pl.col(pl.String), pl.exclude(pl.String).cast(pl.Float64))
    rows = frame.to_dicts()
    inputs = inputs_from(rows, frame.columns)
    kinds = set(labels)
    named = not isinstance(labels[0], float) and len(kinds) <= MANY_CLASSES
    classes: tuple[Value, ...] = tuple(sorted(kinds)) if named else ()
    truth = truth_of("multiclass" if classes else "regression", labels, classes)
    return Stream(name, inputs, *rows_of(frame, inputs), river_rows(rows, inputs), truth, classes)


def _table(lines: Sequence[dict[str, Any]]) -> Table:
    many, few = map(str, AT_ONCE)
    headings = ("rows/s", "river's", "ratio", f"by {few}", "right, river's", "apart")
    table = Table("stream", "rows", *headings, title="right: accuracy, or mean absolute error")
    for each in lines:
        speed, ratios, right = each["rows_a_second"], each["ratios"], each["right"]
        classes = each["measure"] == "accuracy"
        table.add_row(
            each["stream"],
            f"{each['rows']:,}",
            *(f"{speed[name]:,.0f}" for name in (many, "river")),
            *(f"{ratios[name]:.1f}" for name in (many, few)),
            ", ".join(f"{right[name]:.4f}" if classes else f"{right[name]:,.1f}" for name in (many, "river")),
            f"{each['apart']:.0f} rows" if classes else f"{each['apart']:.0e}",
        )
    return table


if __name__ == "__main__":
    raise SystemExit(main())
