"""What the loop is held against, on the same rows, features and label delay.

``static``: the loop's own first model, never retrained. ``periodic:N``: trained anew by the trainer's own
search on the newest labelled rows, every N rows, without a gate against the one before. ``river-…``:
an adaptive learner of river, test-then-train (prequential: Gama, Sebastião and Rodrigues, 2013): every
row is answered when it comes and learnt when its label comes.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from homeostat.backtesting.history import History
from homeostat.backtesting.loop import arrivals
from services.trainer.core.candidates import candidates_for
from services.trainer.core.fitting import data_of, fitted
from services.trainer.core.preprocessing import river_pipeline
from services.trainer.core.search import NothingFitsError, search
from shared.errors import Misconfigured
from shared.messages import Value
from shared.models.base import Model
from shared.models.inputs import inputs_from, river_rows
from shared.models.metadata import Input
from shared.pipeline.specification import Kind, Specification

Features = Sequence[Mapping[str, Value] | None]
Progress = Callable[[int], None]

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


def run_of(name: str, history: History, features: Features, first: tuple[int, Model], progress: Progress) -> Run:
    """One learner over the history. `first` is the loop's first model and the row from which it answered."""
    if name == "static":
        return _static(history, features, first, progress)
    if name.startswith("periodic:"):
        return _periodic(history, features, first, int(name.partition(":")[2]), progress)
    return _river(name, history, features, progress)


def _static(history: History, features: Features, first: tuple[int, Model], progress: Progress) -> Run:
    row, model = first
    run = Run([None] * len(history), [row])
    _answer(run, model, features, row, len(history))
    progress(len(history))
    return run


def _periodic(history: History, features: Features, first: tuple[int, Model], every: int, progress: Progress) -> Run:
    row, model = first
    run = Run([None] * len(history), [row])
    specification = history.specification
    while row < len(history):
        until = min(row + every, len(history))
        _answer(run, model, features, row, until)
        progress(until)
        row = until
        if row < len(history):
            try:
                model = _newest_model(history, features, row, specification)
            except NothingFitsError:
                continue  # as a job that fails: the model before goes on
            run.trained_at.append(row)
    return run


def _newest_model(history: History, features: Features, row: int, specification: Specification) -> Model:
    """What the trainer's search finds on the newest rows whose label has come by `row`."""
    known: list[tuple[Mapping[str, Value], Value]] = []
    for place in range(row - 1, -1, -1):
        one, label = features[place], history.labels[place]
        if one is not None and label is not None and history.due[place] < row:
            known.append((one, label))
            if len(known) == specification.models.train_rows:
                break
    known.reverse()
    data = data_of(specification, [one for one, _ in known], [label for _, label in known])
    models = specification.models
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


def _answer(run: Run, model: Model, features: Features, start: int, stop: int) -> None:
    there = [row for row in range(start, stop) if features[row] is not None]
    answers = model.answer([one for row in there if (one := features[row]) is not None])
    for row, answer in zip(there, answers.predictions, strict=True):
        run.answers[row] = answer


def _river(name: str, history: History, features: Features, progress: Progress) -> Run:
    specification = history.specification
    run = Run([None] * len(history), [0])
    shown = [one for one in features[: specification.models.min_rows] if one is not None]
    inputs = inputs_from(shown, specification.feature_names)
    rows = iter(river_rows((one for one in features if one is not None), inputs))
    taken = [None if one is None else next(rows) for one in features]
    learner = _learner(name, specification.kind, inputs, specification.models.seed)
    for start, stop, due in arrivals(history, 1):
        if (row := taken[start]) is not None:
            run.answers[start] = learner.predict_one(row)
        for place in due:
            if (row := taken[place]) is not None:
                learner.learn_one(row, history.labels[place])
        if stop % 500 == 0:
            progress(stop)
    return run


def _learner(name: str, kind: Kind, inputs: Sequence[Input], seed: int) -> Any:
    """The learner behind the preprocessing of the trainer's own river candidates."""
    from river import forest, linear_model, multiclass, preprocessing, tree

    numbers = kind == "regression"
    if name == "river-adaptive-forest":
        learner: Any = (forest.ARFRegressor if numbers else forest.ARFClassifier)(seed=seed)
    elif name == "river-adaptive-tree":
        learner = (tree.HoeffdingAdaptiveTreeRegressor if numbers else tree.HoeffdingAdaptiveTreeClassifier)(seed=seed)
    elif numbers:
        learner = linear_model.LinearRegression()
    else:
        one = linear_model.LogisticRegression()
        learner = one if kind == "binary" else multiclass.OneVsRestClassifier(one)
    return river_pipeline(inputs, learner, scaler=preprocessing.StandardScaler())
