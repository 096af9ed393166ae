"""What a compiled model computes from its columns: figures of shape (rows, figures), in numpy or by ONNX Runtime."""

from __future__ import annotations

from typing import Protocol

import numpy as np

from shared.models.program import Ellipse, Floats, Linear, Mixture, Trees


class Learner(Protocol):
    def __call__(self, columns: Floats) -> Floats: ...


def learner_of(data: Linear | Trees | Mixture | Ellipse) -> Learner:
    """The learner in the data. ONNX Runtime is imported with the first trees, and only then."""
    match data:
        case Linear():
            return _Linear(data)
        case Mixture():
            return _Mixture(data)
        case Ellipse():
            return _Ellipse(data)
    from shared.models.trees import TreesLearner

    return TreesLearner(data)


class _Linear:
    def __init__(self, data: Linear) -> None:
        self._weights = data.weights.array
        self._intercept = data.intercept.array

    def __call__(self, columns: Floats) -> Floats:
        found: Floats = columns @ self._weights + self._intercept
        return found


class _Mixture:
    def __init__(self, data: Mixture) -> None:
        self._offsets = data.offsets.array
        self._factors = data.factors.array
        self._constants = data.constants.array

    def __call__(self, columns: Floats) -> Floats:
        distances = np.stack(
            [
                np.square(columns @ factor - offset).sum(axis=1)
                for factor, offset in zip(self._factors, self._offsets, strict=True)
            ],
            axis=1,
        )
        logs = self._constants - 0.5 * distances
        highest = logs.max(axis=1, keepdims=True)
        found: Floats = -(highest + np.log(np.exp(logs - highest).sum(axis=1, keepdims=True)))
        return found


class _Ellipse:
    def __init__(self, data: Ellipse) -> None:
        self._centre = data.centre.array
        self._precision = data.precision.array

    def __call__(self, columns: Floats) -> Floats:
        away = columns - self._centre
        found: Floats = ((away @ self._precision) * away).sum(axis=1, keepdims=True)
        return found
