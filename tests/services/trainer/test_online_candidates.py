"""The candidates that learn a step a row: the newest rows tell most, no step overshoots, and an artefact goes on."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from services.trainer.core.candidates import candidates_for
from services.trainer.core.fitting import Data, Row, fitted
from services.trainer.packing import kept
from shared.models.artifact import load_estimator
from shared.models.inputs import inputs_from
from shared.models.sklearn_model import SklearnModel
from shared.models.store import MemoryStore

NAMES = {"binary": "online-logistic", "multiclass": "online-logistic", "regression": "online-linear"}
RNG = np.random.default_rng(8)
TABLE = RNG.normal(size=(2000, 3))
ROWS: list[Row] = [{**dict(zip("abc", row, strict=True)), "d": "xy"[i % 2]} for i, row in enumerate(TABLE.tolist())]
SIDE = 2 * TABLE[:, 0] - TABLE[:, 1] + RNG.normal(size=2000)
TRUTH = {"binary": SIDE > 0, "multiclass": 1 * (SIDE > 0) + (SIDE > 2), "regression": 400 + 9 * SIDE}


def data(kind: Any, truth: Any, rows: list[Row] = ROWS) -> Data:
    classes = {"binary": ("no", "yes"), "multiclass": ("low", "mid", "high")}.get(kind, ())
    return Data(kind, rows, np.asarray(truth, dtype=np.float64), inputs_from(rows, tuple("abcd")), classes)


def learnt(found: Data, name: str, **parameters: float) -> SklearnModel:
    candidate = candidates_for(found.kind, (name,))[0]
    model = fitted(candidate, {**candidate.defaults, **parameters}, found, seed=1)
    assert isinstance(model, SklearnModel)
    return model


def last_step(model: SklearnModel) -> tuple[Any, Any]:
    """The learner that takes steps, and what its target is standardised by."""
    learner = model.estimator[-1]
    return getattr(learner, "regressor_", learner), getattr(learner, "transformer_", None)


def go_on(model: SklearnModel, found: Data) -> None:
    """Learns further rows, with scikit-learn's own means."""
    learner, target = last_step(model)
    truth = found.truth if target is None else target.transform(found.truth[:, np.newaxis]).ravel()
    learner.partial_fit(model.estimator[:-1].transform(found.table), truth)


@pytest.mark.parametrize("kind", NAMES)
def test_one_that_was_packed_goes_on_as_one_that_never_was(kind: str) -> None:
    found, store = data(kind, TRUTH[kind]), MemoryStore()
    model = learnt(found[:1200], NAMES[kind])
    packed = kept(model, ROWS[:1200], store, b"key")
    again = load_estimator(packed.artifact, store, b"key")
    assert isinstance(again, SklearnModel)

    for each in (model, again):
        go_on(each, found[1200:])

    assert packed.artifact.format == "compiled"
    assert (last_step(again)[0].coef_ == last_step(model)[0].coef_).all()
    assert again.answer(ROWS) == model.answer(ROWS)


def test_a_concept_that_turned_within_the_rows_is_followed_by_the_one_that_takes_a_step_a_row() -> None:
    turned = np.where(np.arange(2000) < 1200, SIDE, -SIDE) > 0
    fit, late = data("binary", turned)[:1800], data("binary", turned)[1800:]

    def right(name: str) -> float:
        wanted = ["yes" if each else "no" for each in late.truth]
        answers = learnt(fit, name).answer(late.rows).predictions
        return sum(one == other for one, other in zip(answers, wanted, strict=True)) / len(wanted)

    assert right("online-logistic") > 0.8
    assert right("logistic") < 0.5


def test_rows_far_outside_the_usual_do_not_make_the_steps_for_numbers_overshoot() -> None:
    rows = [{**row, "a": 1e4 * float(row["a"] or 0)} if i % 400 == 5 else row for i, row in enumerate(ROWS)]
    truth = 400 + 9 * np.array([float(row["b"] or 0) for row in rows])

    answers = learnt(data("regression", truth, rows), "online-linear", c=0.05).answer(rows).predictions

    assert np.abs(np.array(answers, dtype=float) - truth).max() < 10
