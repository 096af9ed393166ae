"""From an estimator's figures to `Answers`, alike for every library."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from shared.models.base import Answers
from shared.models.metadata import ModelMetadata, class_text


def class_answers(probabilities: NDArray[np.float64], metadata: ModelMetadata) -> Answers:
    """Answers of a classifier; `probabilities` has shape (rows, classes)."""
    classes = metadata.classes
    names = [class_text(value) for value in classes]
    if metadata.kind == "binary":
        chosen = (probabilities[:, 1] > metadata.threshold).tolist()
        rest, scores = probabilities[:, 0].tolist(), probabilities[:, 1].tolist()
        first, second = names
        told = [{first: one, second: two} for one, two in zip(rest, scores, strict=True)]
    else:
        chosen = probabilities.argmax(axis=1).tolist()
        scores = probabilities.max(axis=1).tolist()
        told = [dict(zip(names, row, strict=True)) for row in probabilities.tolist()]
    return Answers(predictions=[classes[index] for index in chosen], scores=scores, probabilities=told)


def number_answers(values: NDArray[np.float64]) -> Answers:
    """Answers of a regression: the numbers, without scores."""
    rows = len(values)
    return Answers(predictions=values.tolist(), scores=[None] * rows, probabilities=[None] * rows)


def anomaly_answers(raw: NDArray[np.float64], metadata: ModelMetadata) -> Answers:
    """Answers of an anomaly model; a higher `raw` is stranger."""
    low, high = metadata.score_range
    scores = np.clip((raw - low) / (high - low), 0.0, 1.0)
    return Answers(
        predictions=(scores > metadata.threshold).tolist(),
        scores=scores.tolist(),
        probabilities=[None] * len(scores),
    )
