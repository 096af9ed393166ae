"""What the loop is held against, on the same rows, features and label delay.

``static``: the loop's own first model, never retrained. ``periodic:N``: trained anew by the trainer's own
search on the newest labelled rows, every N rows, without a gate against the one before. ``river-…``:
an adaptive learner of river, test-then-train (prequential: Gama, Sebastião and Rodrigues, 2013): every
row is answered when it comes and learnt when its label comes. What the linear one answers is computed in
blocks of rows (`homeostat.backtesting.online`).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from homeostat.backtesting.features import FeatureTable
from homeostat.backtesting.history import History
from homeostat.backtesting.linear import linear_answers
from services.trainer.core.candidates import candidates_for
from services.trainer.core.fitting import data_of, fitted
from services.trainer.core.preprocessing import river_pipeline
from services.trainer.core.search import NothingFitsError, search
from shared.errors import Misconfigured
from shared.messages import Value
from shared.models.base import Model
from shared.models.inputs import inputs_from, river_rows
from shared.models.metadata import Input
from shared.pipeline.specification import Kind

Progress = Callable[[int], None]
CHUNK = 1000

RIVER = ("river-linear", "river-adaptive-tree", "river-adaptive-forest")
"""River's learners: logistic or linear regression by gradient steps, a Hoeffding adaptive tree, an adaptive forest."""

USUAL = ("static", "periodic:5000", "river-adaptive-tree", "river-adaptive-forest")


@dataclass(slots=True)
class Run:
    """What a learner answered: `answers[i]` to row i (None: nothing), and the rows at which it was trained."""

    answers: list[Value]
    trained_at: list[int] = field(default_factory=list)


def names_in(text: str) -> tuple[str, ...]:
    """The learners in a list as ``static,periodic:2000,river-adaptive-tree``; ``none`` for none of them.

    >>> names_in("static, periodic:2000")
    ('static', 'periodic:2000')
    """
    names = tuple(name.strip() for name in text.split(",") if name.strip())
    names = () if names == ("none",) else names
    for name in names:
        kind, _, rows = name.partition(":")
        periodic = kind == "periodic" and rows.isascii() and rows.isdigit() and int(rows) > 0
        if name != "static" and name not in RIVER and not periodic:
            raise Misconfigured(
                f"--against {name!r}: there are static, periodic:N (every N rows), {', '.join(RIVER)}, and none"
            )
    return names


def run_of(name: str, history: History, table: FeatureTable, first: tuple[int, Model], progress: Progress) -> Run:
    """One learner over the history. `first` is the loop's first model and the row from which it answered."""
    if name == "static":
        return _static(history, table, first, progress)
    if name.startswith("periodic:"):
        return _periodic(history, table, first, int(name.partition(":")[2]), progress)
    if name == "river-linear":
        return Run(linear_answers(history, table, progress))
    return _river(name, history, table, progress)


def _static(history: History, table: FeatureTable, first: tuple[int, Model], progress: Progress) -> Run:
    row, model = first
    run = Run([None] * len(history), [row])
    for start in range(row, len(history), CHUNK):
        stop = min(start + CHUNK, len(history))
        _answer(run, model, table, start, stop)
        progress(stop)
    return run


def _periodic(history: History, table: FeatureTable, first: tuple[int, Model], every: int, progress: Progress) -> Run:
    row, model = first
    run = Run([None] * len(history), [row])
    while row < len(history):
        until = min(row + every, len(history))
        _answer(run, model, table, row, until)
        progress(until)
        row = until
        if row < len(history):
            try:
                model = _newest_model(history, table, row)
            except NothingFitsError:
                continue  # as a job that fails: the model before goes on
            run.trained_at.append(row)
    return run


def _newest_model(history: History, table: FeatureTable, row: int) -> Model:
    """What the trainer's search finds on the newest rows whose label has come by `row`."""
    specification = history.specification
    models = specification.models
    places = table.places[: table.between(0, row)[1]].tolist()
    known = [line for line, place in enumerate(places) if _is_known(history, place, row)][-models.train_rows :]
    labels = [history.labels[places[line]] for line in known]
    data = data_of(specification, table.values[known].to_dicts(), labels)
    found = search(
        candidates_for(specification.kind, models.candidates),
        data,
        metric=specification.main_metric,
        fold_count=models.folds,
        seed=models.seed,
        trials=models.search.trials,
        seconds=models.search.seconds,
        clock=lambda: 0.0,
    )
    best = candidates_for(specification.kind, (found.best.candidate,))[0]
    return fitted(best, found.best.parameters, data, models.seed)


def _is_known(history: History, place: int, row: int) -> bool:
    return history.labels[place] is not None and int(history.due[place]) < row


def _answer(run: Run, model: Model, table: FeatureTable, start: int, stop: int) -> None:
    lines = table.between(start, stop)
    for place, answer in zip(
        table.places[slice(*lines)].tolist(), model.answer(table.dicts(*lines)).predictions, strict=True
    ):
        run.answers[place] = answer


def _river(name: str, history: History, table: FeatureTable, progress: Progress) -> Run:
    specification, labels = history.specification, history.labels
    run = Run([None] * len(history))
    rows: Sequence[Mapping[str, Value]] = table.values.to_dicts()
    inputs = inputs_from(rows[: specification.models.min_rows], specification.feature_names)
    taken = dict(zip(table.places.tolist(), river_rows(rows, inputs), strict=True))
    learner = _learner(name, specification.kind, inputs, specification.models.seed)
    known = [place for place in np.argsort(history.due, kind="stable").tolist() if labels[place] is not None]
    due, learnt = [int(history.due[place]) for place in known], 0
    for place in range(len(history)):
        if (row := taken.get(place)) is not None:
            run.answers[place] = learner.predict_one(row)
        while learnt < len(known) and due[learnt] <= place:
            if (row := taken.get(known[learnt])) is not None:
                learner.learn_one(row, labels[known[learnt]])
            learnt += 1
        if place % CHUNK == 0:
            progress(place)
    progress(len(history))
    return run


def _learner(name: str, kind: Kind, inputs: Sequence[Input], seed: int) -> Any:
    """The learner behind the preprocessing of the trainer's own river candidates."""
    from river import forest, preprocessing, tree

    numbers = kind == "regression"
    if name == "river-adaptive-forest":
        learner: Any = (forest.ARFRegressor if numbers else forest.ARFClassifier)(seed=seed)
    else:
        learner = (tree.HoeffdingAdaptiveTreeRegressor if numbers else tree.HoeffdingAdaptiveTreeClassifier)(seed=seed)
    return river_pipeline(inputs, learner, scaler=preprocessing.StandardScaler())
