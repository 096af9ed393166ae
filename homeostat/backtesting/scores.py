"""How right answers were, over all rows and over time."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from shared.messages import Value

Floats = NDArray[np.float64]

POINTS = 200
"""About so many points a line has."""


def metric_of(kind: str) -> str:
    """What is measured: ``mae`` (in the target's unit; lower is better) or ``accuracy`` (a share)."""
    return "mae" if kind == "regression" else "accuracy"


def scores_of(answers: Sequence[Value], labels: Sequence[Value], kind: str) -> Floats:
    """Each row's share in the metric: 1 or 0 for a class, the absolute error of a number, NaN for no answer or label.

    >>> scores_of(["a", None, "b"], ["a", "a", "a"], "multiclass").tolist()
    [1.0, nan, 0.0]
    """
    return np.array([_score(a, b, kind) for a, b in zip(answers, labels, strict=True)], np.float64)


def _score(answer: Value, label: Value, kind: str) -> float:
    if answer is None or label is None:
        return float("nan")
    if kind == "regression":
        return abs(float(answer) - float(label))
    return float(answer == label)


def mean_of(scores: Floats) -> float | None:
    """Over the rows that have a score; None for none."""
    known = scores[~np.isnan(scores)]
    return float(known.mean()) if len(known) else None


def window_of(count: int, smallest: int) -> int:
    """Rows per point of a line over `count` rows: at least `smallest`, so that about `POINTS` points come out."""
    return max(smallest, -(-count // POINTS))


def line_of(scores: Floats, window: int) -> list[tuple[int, float, int]]:
    """(last row, mean, rows that count) of each window of `window` rows in which some row counts.

    >>> line_of(np.array([1.0, 0.0, np.nan, np.nan, 1.0]), 2)
    [(1, 0.5, 2), (4, 1.0, 1)]
    """
    points = []
    for start in range(0, len(scores), window):
        part = scores[start : start + window]
        counted = int((~np.isnan(part)).sum())
        if counted:
            points.append((min(start + window, len(scores)) - 1, float(np.nanmean(part)), counted))
    return points
