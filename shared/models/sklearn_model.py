"""A scikit-learn estimator as a `Model`. Its input form is that of `shared.models.inputs`."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from shared.messages import Value
from shared.models.answers import anomaly_answers, class_answers, number_answers
from shared.models.base import Answers
from shared.models.inputs import MatrixOf
from shared.models.metadata import Input, ModelMetadata


class SklearnModel:
    """Answers from a fitted estimator or Pipeline, one vectorised call per batch.

    Classifiers need `predict_proba` and were fitted on positions in `metadata.classes` (a class that
    the training set lacked gets probability 0); regressions `predict`; anomaly models
    `score_samples`, where lower is stranger, as IsolationForest has it.
    """

    def __init__(self, estimator: Any, metadata: ModelMetadata) -> None:
        self.estimator = estimator
        self.metadata = metadata
        self._matrix = MatrixOf(metadata.inputs)
        self._columns = _class_columns(estimator, metadata)

    @property
    def features(self) -> tuple[str, ...]:
        return self.metadata.features

    @property
    def inputs(self) -> tuple[Input, ...]:
        return self.metadata.inputs

    def answer(self, rows: Sequence[Mapping[str, Value]]) -> Answers:
        return self.answer_matrix(self._matrix(rows))

    def answer_matrix(self, table: NDArray[np.float64]) -> Answers:
        """As `answer`, for rows that are a matrix already; no rows give no answers."""
        if not len(table):
            return Answers((), (), ())
        if self.metadata.kind == "regression":
            return number_answers(np.asarray(self.estimator.predict(table), dtype=np.float64).ravel())
        if self.metadata.kind == "anomaly":
            return anomaly_answers(-np.asarray(self.estimator.score_samples(table)), self.metadata)
        return class_answers(self._probabilities(table), self.metadata)

    def _probabilities(self, table: NDArray[np.float64]) -> NDArray[np.float64]:
        known = np.asarray(self.estimator.predict_proba(table), dtype=np.float64)
        if self._columns is None:
            return known
        full = np.zeros((len(table), len(self.metadata.classes)))
        full[:, self._columns] = known
        return full


def _class_columns(estimator: Any, metadata: ModelMetadata) -> list[int] | None:
    """Where the estimator's columns belong, or None where they are all classes in order."""
    if not metadata.classes:
        return None
    columns = [int(position) for position in estimator.classes_]
    return None if columns == list(range(len(metadata.classes))) else columns
