"""The online linear learner over a history: each row is answered when it comes, and learnt when its label comes."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import polars as pl

from homeostat.backtesting.columns import Ints
from homeostat.backtesting.features import FeatureTable
from homeostat.backtesting.history import History
from homeostat.backtesting.moments import Floats
from homeostat.backtesting.online import OnlineLinear, Rows
from services.trainer.core.fitting import classes_of, truth_of
from shared.messages import Value
from shared.models.inputs import inputs_from
from shared.models.metadata import Input, class_text

CHUNK = 1000


def linear_answers(history: History, table: FeatureTable, progress: Callable[[int], None]) -> list[Value]:
    """The answer to each row of the history; None to one that has no features, or before any class was met."""
    specification = history.specification
    classes = classes_of(specification, history.labels)
    inputs = inputs_from(table.values[: specification.models.min_rows].to_dicts(), specification.feature_names)
    rows, codes = rows_of(table.values, inputs)
    known, before = _arriving(history, table)
    learnt = Rows(rows.numbers[known], rows.codes[known])
    truth = truth_of(specification.kind, [history.labels[place] for place in table.places[known].tolist()], classes)
    learner = OnlineLinear(rows.numbers.shape[1], codes, len(classes))
    answers: list[Value] = [None] * len(history)
    done = 0
    for start in range(0, len(before), CHUNK):
        asked, since = rows.part(start, start + CHUNK), before[start : start + CHUNK]
        until = int(since[-1])
        figures = learner.answers(asked, since - done, learnt.part(done, until), truth[done:until])
        done = until
        places = table.places[start : start + CHUNK].tolist()
        for place, answer in zip(places, predicted(figures, classes), strict=True):
            answers[place] = answer
        progress(places[-1])
    progress(len(history))
    return answers


def rows_of(values: pl.DataFrame, inputs: Sequence[Input]) -> tuple[Rows, list[int]]:
    """Features as the learner takes them, and how many codes each text has: one for each that occurs, gaps included."""
    found, texts, counts = [], [], []
    for item in inputs:
        column = values[item.name]
        if item.categories is None and column.dtype != pl.String:
            found.append(column.cast(pl.Float64).fill_null(item.fill).to_numpy())
        else:
            cells = ["" if cell is None else class_text(cell) for cell in column.to_list()]
            known, codes = np.unique(cells, return_inverse=True)
            texts.append(codes)
            counts.append(len(known))
    return Rows(_beside(found, values.height, np.float64), _beside(texts, values.height, np.int64)), counts


def _beside(columns: Sequence[Any], height: int, kind: Any) -> Any:
    """Columns as one array, (height, columns), also where there is none."""
    return np.array(columns, dtype=kind).reshape(len(columns), height).T.copy()


def _arriving(history: History, table: FeatureTable) -> tuple[Ints, Ints]:
    """The lines of labelled rows in the order in which their labels come, and how many have come before each line."""
    due = history.due[table.places]
    labelled = np.array([history.labels[place] is not None for place in table.places.tolist()], dtype=bool)
    order = np.argsort(due, kind="stable")
    known = order[labelled[order]]
    return known, np.searchsorted(due[known], table.places)


def predicted(figures: Floats, classes: Sequence[Value]) -> list[Value]:
    """What the figures stand for: the numbers themselves without classes, None before any class was met."""
    if not classes:
        return list(figures[:, 0].tolist())
    if figures.shape[1] == 1:
        return [classes[second] for second in (figures[:, 0] > 0).tolist()]
    met = (figures.max(axis=1) > -np.inf).tolist()
    return [
        classes[place] if known else None for place, known in zip(figures.argmax(axis=1).tolist(), met, strict=True)
    ]
