"""A river learner as a `Model`. Its input form is that of `shared.models.inputs.river_rows`."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from shared.messages import Value
from shared.models.answers import anomaly_answers, class_answers, number_answers
from shared.models.base import Answers
from shared.models.inputs import river_rows
from shared.models.metadata import ModelMetadata


class RiverModel:
    """Answers from a river learner, row by row; answering teaches it nothing.

    Classifiers need `predict_proba_one` and learnt positions in `metadata.classes`, regressions
    `predict_one`, anomaly models `score_one`, where higher is stranger. A classifier that knows
    nothing about a row gives all classes the same probability.
    """

    def __init__(self, learner: Any, metadata: ModelMetadata) -> None:
        self.learner = learner
        self.metadata = metadata

    @property
    def features(self) -> tuple[str, ...]:
        return self.metadata.features

    def answer(self, rows: Sequence[Mapping[str, Value]]) -> Answers:
        if not rows:
            return Answers((), (), ())
        taken = river_rows(rows, self.metadata.inputs)
        if self.metadata.kind == "regression":
            return number_answers(np.array([self.learner.predict_one(row) for row in taken], dtype=np.float64))
        if self.metadata.kind == "anomaly":
            scores = np.array([self.learner.score_one(row) for row in taken], dtype=np.float64)
            return anomaly_answers(scores, self.metadata)
        return class_answers(self._probabilities(taken), self.metadata)

    def _probabilities(self, rows: list[dict[str, float | str]]) -> NDArray[np.float64]:
        count = len(self.metadata.classes)
        table = np.zeros((len(rows), count))
        for index, row in enumerate(rows):
            for position, probability in self.learner.predict_proba_one(row).items():
                table[index, int(position)] = probability
        total = table.sum(axis=1, keepdims=True)
        return np.where(total > 0, table / np.where(total > 0, total, 1.0), 1.0 / count)
