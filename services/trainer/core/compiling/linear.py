"""Linear learners: scaling is folded into the weights, so that a batch is one matrix product."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from services.trainer.core.compiling.columns import Column, expansion_of, scales_of, shifts_of
from shared.models.program import Expansion, Linear, Tensor


def fused(estimator: Any, columns: Sequence[Column]) -> tuple[Expansion, Linear]:
    """An estimator with `coef_` and `intercept_`: ``(x - shift) / scale @ coef`` is ``x @ weights + intercept``."""
    expansion, positions = expansion_of([replace(each, shift=0.0, scale=1.0) for each in columns])
    coefficients = np.atleast_2d(estimator.coef_).T
    weights = coefficients / scales_of(columns)[:, np.newaxis]
    intercept = np.atleast_1d(estimator.intercept_) - shifts_of(columns) @ weights
    arranged = np.empty_like(weights)
    arranged[positions] = weights
    return expansion, Linear(Tensor.of(arranged), Tensor.of(intercept))
