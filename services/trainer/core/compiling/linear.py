"""Linear learners: scaling is folded into the weights, so that a batch is one matrix product."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np
from sklearn.compose import TransformedTargetRegressor
from sklearn.linear_model import LinearRegression, Ridge, SGDRegressor
from sklearn.preprocessing import StandardScaler

from services.trainer.core.compiling.columns import Column, expansion_of, scales_of, shifts_of
from services.trainer.core.compiling.errors import NotCompilableError
from shared.models.program import Expansion, Floats, Linear, Tensor


def fused(estimator: Any, columns: Sequence[Column]) -> tuple[Expansion, Linear]:
    """A linear learner: ``(x - shift) / scale @ coefficients`` is ``x @ weights + intercept``.

    NotCompilableError where its target is not standardised but changed in another way, or it is none.
    """
    coefficients, intercept = _coefficients(estimator)
    expansion, positions = expansion_of([replace(each, shift=0.0, scale=1.0) for each in columns])
    weights = np.atleast_2d(coefficients).T / scales_of(columns)[:, np.newaxis]
    moved = np.atleast_1d(intercept) - shifts_of(columns) @ weights
    arranged = np.empty_like(weights)
    arranged[positions] = weights
    return expansion, Linear(Tensor.of(arranged), Tensor.of(moved))


def _coefficients(estimator: Any) -> tuple[Floats, Floats]:
    match estimator:
        case TransformedTargetRegressor(
            regressor_=LinearRegression() | Ridge() | SGDRegressor() as inner, transformer_=StandardScaler() as target
        ):
            return inner.coef_ * target.scale_, inner.intercept_ * target.scale_ + target.mean_
        case TransformedTargetRegressor():
            raise NotCompilableError(
                "a target that is changed by anything but its standardisation has no compiled form"
            )
    return estimator.coef_, estimator.intercept_
