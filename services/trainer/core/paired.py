"""Two models on the same rows: is one of them right more often than chance would have it?

Rows are taken in blocks, for errors come in runs and a run says one thing only: Student's t on the
means of the rows' differences in blocks (batch means; Law and Kelton, "Simulation Modeling and
Analysis"). Differences of the same rows are free of how hard these rows are.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from scipy.stats import t as student

from services.trainer.core.evaluate import Floats

BLOCK = 20
_LEAST_BLOCKS = 5


def losses_of(kind: str, truth: Floats, predicted: Floats) -> Floats:
    """Each row's loss: 1 for a wrong class, the absolute error of a number."""
    if kind == "regression":
        return np.abs(predicted - truth)
    wrong: Floats = (predicted != truth).astype(np.float64)
    return wrong


def chance_of_no_gain(ours: Floats, theirs: Floats) -> float:
    """The p-value of "our losses are no smaller than theirs", row by row in stream order; 1.0 for too few rows.

    >>> chance_of_no_gain(np.zeros(200), np.tile([1.0, 0.0], 100)) < 0.01
    True
    """
    size = min(BLOCK, len(ours) // _LEAST_BLOCKS)
    if size == 0:
        return 1.0
    count = len(ours) // size
    gains = (theirs - ours)[len(ours) - count * size :]
    means = gains.reshape(count, size).mean(axis=1)
    # Blocks that agree say no more than independent rows would, and one more row might have gone the other way.
    one_row = float(np.abs(gains).max()) / len(gains)
    error = float(np.sqrt(max(means.var(ddof=1) / count, gains.var() / len(gains)) + one_row**2))
    if error == 0.0:
        return 0.0 if gains.mean() > 0 else 1.0
    return float(student.sf(float(means.mean()) / error, count - 1))


def longest_unbeaten(losses: Mapping[int, Floats], level: float) -> int | None:
    """Of losses on the same rows by length learned from: the longest that the best does not beat; None of none.

    `level` is shared among the comparisons (Bonferroni).
    """
    if not losses:
        return None
    best = min(losses, key=lambda length: (float(losses[length].mean()), -length))
    each = level / max(1, len(losses) - 1)
    longer = (length for length in sorted(losses, reverse=True) if length > best)
    return next((length for length in longer if chance_of_no_gain(losses[best], losses[length]) > each), best)
