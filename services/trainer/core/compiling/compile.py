"""An estimator taken apart: calibration outside, preprocessing before, a learner at the end."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from sklearn.calibration import CalibratedClassifierCV
from sklearn.compose import TransformedTargetRegressor
from sklearn.covariance import EllipticEnvelope
from sklearn.ensemble import (
    ExtraTreesClassifier,
    ExtraTreesRegressor,
    HistGradientBoostingClassifier,
    HistGradientBoostingRegressor,
    IsolationForest,
    RandomForestClassifier,
    RandomForestRegressor,
)
from sklearn.frozen import FrozenEstimator
from sklearn.linear_model import LinearRegression, LogisticRegression, Ridge, SGDClassifier, SGDRegressor
from sklearn.mixture import GaussianMixture
from sklearn.pipeline import Pipeline

from services.trainer.core.compiling.boosting import boosted_of
from services.trainer.core.compiling.columns import Column, Columns, columns_after
from services.trainer.core.compiling.densities import ellipse_of, mixture_of
from services.trainer.core.compiling.errors import NotCompilableError
from services.trainer.core.compiling.linear import fused
from services.trainer.core.compiling.trees import forest_of, isolation_of
from shared.models.metadata import Input, ModelMetadata
from shared.models.program import Ellipse, Expansion, Linear, Link, Mixture, Program, Trees

Calibrations = tuple[tuple[tuple[float, float], ...], ...]
_IDENTITY_LOSSES = ("squared_error", "absolute_error", "quantile")


def program_of(estimator: Any, metadata: ModelMetadata) -> Program:
    """The compiled form of a fitted estimator; NotCompilableError says what stands against it."""
    learner, steps, calibrations = _apart(estimator)
    columns: Columns = [Column(index) for index in range(len(metadata.inputs))]
    for step in steps:
        columns = columns_after(step, columns)
    expansion, data = _learner(learner, columns, metadata.inputs)
    return Program(
        expansion=expansion,
        learner=data,
        link=_link(learner),
        calibrations=calibrations,
        class_columns=_class_columns(estimator, metadata),
    )


def _apart(estimator: Any) -> tuple[Any, list[Any], Calibrations]:
    """The learner, the steps before it, and the calibrations over it, the innermost first."""
    match estimator:
        case FrozenEstimator():
            return _apart(estimator.estimator)
        case CalibratedClassifierCV():
            learner, steps, inner = _apart(_calibrated(estimator).estimator)
            return learner, steps, (*inner, _lines(_calibrated(estimator)))
        case Pipeline():
            learner, steps, inner = _apart(estimator.steps[-1][1])
            return learner, [*(step for _, step in estimator.steps[:-1]), *steps], inner
    return estimator, [], ()


def _calibrated(estimator: CalibratedClassifierCV) -> Any:
    if len(estimator.calibrated_classifiers_) != 1 or estimator.method != "sigmoid":
        raise NotCompilableError("a calibration of several estimators, or by another curve than Platt's, has none")
    return estimator.calibrated_classifiers_[0]


def _lines(calibrated: Any) -> tuple[tuple[float, float], ...]:
    return tuple((float(each.a_), float(each.b_)) for each in calibrated.calibrators)


def _learner(
    learner: Any, columns: Columns, inputs: Sequence[Input]
) -> tuple[Expansion, Linear | Trees | Mixture | Ellipse]:
    match learner:
        case (
            LogisticRegression()
            | SGDClassifier(loss="log_loss")
            | LinearRegression()
            | Ridge()
            | SGDRegressor()
            | TransformedTargetRegressor()
        ):
            return fused(learner, columns)
        case RandomForestClassifier() | RandomForestRegressor() | ExtraTreesClassifier() | ExtraTreesRegressor():
            return forest_of(learner, columns)
        case IsolationForest():
            return isolation_of(learner, columns)
        case HistGradientBoostingClassifier() | HistGradientBoostingRegressor():
            return boosted_of(learner, columns, inputs)
        case GaussianMixture():
            return mixture_of(learner, columns)
        case EllipticEnvelope():
            return ellipse_of(learner, columns)
    raise NotCompilableError(f"{type(learner).__name__} has no compiled form")


def _link(learner: Any) -> Link:
    match learner:
        case LogisticRegression() | HistGradientBoostingClassifier():
            return "logistic" if len(learner.classes_) == 2 else "softmax"
        case SGDClassifier():
            return "logistic" if len(learner.classes_) == 2 else "one-vs-rest"
        case RandomForestClassifier() | ExtraTreesClassifier():
            return "complement" if len(learner.classes_) == 2 else "identity"
        case IsolationForest():
            return "isolation"
        case HistGradientBoostingRegressor() if learner.loss not in _IDENTITY_LOSSES:
            raise NotCompilableError(f"boosting with the loss {learner.loss} has no compiled form")
    return "identity"


def _class_columns(estimator: Any, metadata: ModelMetadata) -> tuple[int, ...] | None:
    """Where the answered probabilities belong, or None where they are all classes in order."""
    if not metadata.classes:
        return None
    columns = tuple(int(position) for position in estimator.classes_)
    return None if columns == tuple(range(len(metadata.classes))) else columns
