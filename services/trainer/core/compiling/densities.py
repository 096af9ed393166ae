"""Anomaly models that measure a distance: normal mixtures and the elliptic envelope."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from services.trainer.core.compiling.columns import Column, expansion_of
from services.trainer.core.compiling.errors import NotCompilableError
from shared.models.program import Ellipse, Expansion, Floats, Mixture, Tensor


def mixture_of(estimator: Any, columns: Sequence[Column]) -> tuple[Expansion, Mixture]:
    """A GaussianMixture with full covariances."""
    if estimator.covariance_type != "full":
        raise NotCompilableError(f"a mixture with {estimator.covariance_type} covariances has no compiled form")
    expansion, positions = expansion_of(columns)
    means, factors = estimator.means_, estimator.precisions_cholesky_
    offsets = np.array([mean @ factor for mean, factor in zip(means, factors, strict=True)])
    logs = np.array([np.log(np.diag(factor)).sum() for factor in factors])
    constants = np.log(estimator.weights_) + logs - 0.5 * means.shape[1] * np.log(2 * np.pi)
    arranged = np.empty_like(factors)
    arranged[:, positions, :] = factors
    return expansion, Mixture(Tensor.of(offsets), Tensor.of(arranged), Tensor.of(constants))


def ellipse_of(estimator: Any, columns: Sequence[Column]) -> tuple[Expansion, Ellipse]:
    """An EllipticEnvelope, or any covariance with a location."""
    expansion, positions = expansion_of(columns)
    centre = _arranged(estimator.location_, positions)
    precision = np.empty_like(estimator.get_precision())
    precision[np.ix_(positions, positions)] = estimator.get_precision()
    return expansion, Ellipse(Tensor.of(centre), Tensor.of(precision))


def _arranged(values: Floats, positions: Sequence[int]) -> Floats:
    found = np.empty_like(values)
    found[list(positions)] = values
    return found
