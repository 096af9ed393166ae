"""The online linear learner answers as river's does, row by row, however the rows are handed over."""

from __future__ import annotations

import random
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import polars as pl
import pytest
from river import linear_model, multiclass, preprocessing

from homeostat.backtesting.columns import Columns
from homeostat.backtesting.features import features_of
from homeostat.backtesting.history import History, history_of
from homeostat.backtesting.learners import run_of
from homeostat.backtesting.linear import predicted, rows_of
from homeostat.backtesting.moments import Floats, Moments
from homeostat.backtesting.online import OnlineLinear, Rows
from services.trainer.core.preprocessing import river_pipeline
from shared.messages import Value
from shared.models.inputs import inputs_from, river_rows
from shared.models.metadata import Input
from shared.pipeline.span import Span
from shared.pipeline.specification import Specification
from tests.homeostat.backtesting.histories import SPECIFICATION, eventful

CLASSES = {"binary": 2, "multiclass": 3, "regression": 0}
COUNT = 1500


def some_rows(count: int = COUNT) -> list[dict[str, Value]]:
    """Two numbers, one with gaps and one far from 0, one that never varies, and two texts, one of them with gaps."""
    rng = random.Random(3)
    return [
        {
            "near": None if i % 11 == 0 else rng.gauss(0, 2),
            "far": rng.gauss(1e5, 3),
            "same": 0.1,
            "where": rng.choice("abcde" if i > count // 2 else "abc"),
            "how": rng.choice(("by day", "by night", None)),
        }
        for i in range(count)
    ]


def truth_of(kind: str, rows: Sequence[Mapping[str, Value]]) -> Floats:
    """A rule with some noise; the third class comes late."""
    rng = random.Random(4)
    figures = np.array(
        [
            float(row["near"] or 0) + (float(row["far"] or 0) - 1e5) / 3 + 2 * (row["where"] == "b") + rng.gauss(0, 1)
            for row in rows
        ]
    )
    if kind == "regression":
        return figures
    positions = (figures > 0).astype(np.float64)
    if kind == "multiclass":
        positions[200:] += (figures > 2)[200:]
    return positions


def taken(rows: list[dict[str, Value]]) -> tuple[tuple[Input, ...], Rows, list[int]]:
    inputs = inputs_from(rows, tuple(rows[0]))
    frame = pl.DataFrame(rows, infer_schema_length=None)
    return inputs, *rows_of(frame, inputs)


def rivers(kind: str, inputs: Sequence[Input]) -> Any:
    logistic = linear_model.LogisticRegression()
    learner = {
        "binary": logistic,
        "multiclass": multiclass.OneVsRestClassifier(logistic),
        "regression": linear_model.LinearRegression(),
    }[kind]
    return river_pipeline(inputs, learner, scaler=preprocessing.StandardScaler())


def by_river(kind: str, rows: list[dict[str, Value]], truth: Floats, delay: int) -> list[Any]:
    """Each row's number, P(second class) or chances of all three, when what is `delay` rows older is learnt."""
    inputs = inputs_from(rows, tuple(rows[0]))
    dicts, learner, found = river_rows(rows, inputs), rivers(kind, inputs), []
    labels: list[Any] = [each == 1 for each in truth] if kind == "binary" else truth.tolist()
    for i, row in enumerate(dicts):
        if delay and i >= delay:
            learner.learn_one(dicts[i - delay], labels[i - delay])
        if kind == "regression":
            found.append(learner.predict_one(row))
        elif kind == "binary":
            found.append(learner.predict_proba_one(row)[True])
        else:
            chances = learner.predict_proba_one(row)
            found.append([chances.get(position, 0.0) for position in (0.0, 1.0, 2.0)])
        if not delay:
            learner.learn_one(row, labels[i])
    return found


def by_blocks(kind: str, rows: list[dict[str, Value]], truth: Floats, delay: int, at_once: int) -> Floats:
    _, columns, codes = taken(rows)
    learner = OnlineLinear(columns.numbers.shape[1], codes, CLASSES[kind])
    places, found = np.arange(len(rows)), []
    until = np.maximum(places - delay + 1, 0) if delay else places
    done = 0
    for start in range(0, len(rows), at_once):
        part = until[start : start + at_once]
        learnt = columns.part(done, int(part[-1]))
        found.append(
            learner.answers(columns.part(start, start + at_once), part - done, learnt, truth[done : int(part[-1])])
        )
        done = int(part[-1])
    return np.concatenate(found)


def answered(kind: str, figures: Floats) -> Floats:
    if kind == "regression":
        return figures[:, 0]
    chances = 1 / (1 + np.exp(-figures))
    if kind == "binary":
        return np.asarray(chances[:, 0])
    total = chances.sum(axis=1, keepdims=True)
    return np.divide(chances, total, out=np.zeros_like(chances), where=total > 0)


@pytest.mark.parametrize("delay", [0, 1, 96])
@pytest.mark.parametrize("kind", CLASSES)
def test_every_row_is_answered_as_river_answers_it(kind: str, delay: int) -> None:
    rows = some_rows()
    truth = truth_of(kind, rows)

    figures = by_blocks(kind, rows, truth, delay, at_once=400)

    assert answered(kind, figures) == pytest.approx(np.array(by_river(kind, rows, truth, delay)), rel=1e-6, abs=1e-9)


@pytest.mark.parametrize("at_once", [1, 7, 64, 65, COUNT])
@pytest.mark.parametrize("kind", CLASSES)
def test_it_does_not_matter_how_many_rows_are_handed_over_at_once(kind: str, at_once: int) -> None:
    rows = some_rows()
    truth = truth_of(kind, rows)

    figures = by_blocks(kind, rows, truth, delay=40, at_once=at_once)

    assert figures == pytest.approx(by_blocks(kind, rows, truth, delay=40, at_once=200), rel=1e-8, abs=1e-9)


def test_before_any_class_was_met_nothing_is_answered_and_of_those_met_the_likeliest() -> None:
    figures = np.array([[-np.inf, -np.inf, -np.inf], [-np.inf, -3.0, -5.0]])

    assert predicted(figures, ("a", "b", "c")) == [None, "b"]


def test_of_two_classes_the_second_is_answered_above_zero_alone() -> None:
    assert predicted(np.array([[-0.1], [0.0], [0.1]]), ("no", "yes")) == ["no", "no", "yes"]


def test_a_small_variance_far_from_zero_keeps_its_digits() -> None:
    column = 1e9 + np.random.default_rng(0).normal(size=(2000, 1))
    moments = Moments.none(1)

    for start in range(0, 2000, 300):
        means, reciprocals = moments.along(column[start : start + 300])

    assert means[-1] == pytest.approx(column.mean(), rel=1e-15)
    assert reciprocals[-1] == pytest.approx(1 / column.std(), rel=1e-9)


def rows_in_river(history: History) -> list[Value]:
    """River's plain loop over a history: a row is answered, then the labels that have come by it are learnt."""
    table, specification = features_of(history), history.specification
    rows = table.values.to_dicts()
    inputs = inputs_from(rows[: specification.models.min_rows], specification.feature_names)
    taken = dict(zip(table.places.tolist(), river_rows(rows, inputs), strict=True))
    learner, answers = rivers(specification.kind, inputs), [None] * len(history)
    waiting = sorted(taken, key=lambda place: int(history.due[place]))
    for place in range(len(history)):
        if place in taken:
            answers[place] = learner.predict_one(taken[place])
        while waiting and history.due[waiting[0]] <= place:
            known = waiting.pop(0)
            if history.labels[known] is not None:
                learner.learn_one(taken[known], history.labels[known])
    return answers


def with_texts(specification: Specification) -> Specification:
    document = specification.model_dump(mode="json", by_alias=True)
    return Specification.model_validate({**document, "features": {**document["features"], "shop": "shop"}})


def test_over_a_history_with_refused_rows_and_late_labels_it_answers_as_rivers_plain_loop() -> None:
    rows = eventful(2500, turn=1500, wrong=range(1800, 1900))
    del rows[700]["churned"]
    history = history_of(
        Columns.of_rows([{"churned": None, **row} for row in rows]), with_texts(SPECIFICATION), Span.of("30m"), 100.0
    )
    told: list[int] = []

    run = run_of("river-linear", history, features_of(history), (0, None), told.append)  # type: ignore[arg-type]

    assert run.answers == rows_in_river(history)
    assert told == sorted(told)
    assert told[-1] == len(history)
