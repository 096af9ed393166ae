"""Performance without labels, with a stated error.

Classes: confidence-based performance estimation (CBPE; NannyML, "How it works: performance
estimation"): the expected confusion matrix of calibrated probabilities. They are calibrated by
isotonic regression where that lowers the calibration error on rows not used for it, else taken as
they are. Numbers: a direct estimate of the error from the residuals that the model's labelled
answers showed in the same range of answers. Both hold while the relation of inputs to target holds:
they see shifts of the inputs, not of the concept.
"""

from __future__ import annotations

import itertools

import msgspec
import numpy as np

from services.monitor.core.distributions import order_of
from services.monitor.core.performance import calibration_error
from services.monitor.core.state import Bools, Floats, Ints, empty

LEAST_ROWS = 100
_BLOCKS = 5


class Estimated(msgspec.Struct):
    """A published estimate that waits for the truth."""

    index: int
    rows: Ints
    values: dict[str, float]
    by_version: dict[str, dict[str, float]]


class Estimator(msgspec.Struct):
    """Learned from labelled rows of one version. `errors`: the stated error of each estimate (two sigma).

    Classes: `knots` and `levels` map confidence to the chance of being right (empty: as it is).
    Numbers: `knots` are the inner edges of ranges of the answer, `levels` and `squares` the mean
    absolute and mean squared residual in each.
    """

    version: str
    regression: bool
    knots: Floats = msgspec.field(default_factory=empty)
    levels: Floats = msgspec.field(default_factory=empty)
    squares: Floats = msgspec.field(default_factory=empty)
    errors: dict[str, float] = {}

    def values(self, answer: Floats, confidence: Floats, positive: Bools | None) -> dict[str, float]:
        """The estimates for unlabelled rows: their answers, confidence, and which claim the positive class."""
        if self.regression:
            place = np.searchsorted(self.knots, answer, side="right")
            return {"mae": float(self.levels[place].mean()), "rmse": float(np.sqrt(self.squares[place].mean()))}
        right = self.chance(confidence)
        values = {"accuracy": float(right.mean())}
        if positive is not None:
            hits, misses = right[positive].sum(), (1 - right[~positive]).sum()
            claimed = max(1e-9, float(positive.sum()))
            values["precision"] = float(hits / claimed)
            values["recall"] = float(hits / max(1e-9, hits + misses))
            values["f1"] = float(2 * hits / max(1e-9, claimed + hits + misses))
        return values

    def chance(self, confidence: Floats) -> Floats:
        """The calibrated chance that an answer of this confidence is right."""
        return np.interp(confidence, self.knots, self.levels) if len(self.knots) else confidence


class Lesson(msgspec.Struct):
    """The newest labelled answers of one version, in order: its estimator is fitted once one is asked for.

    Classes: `given` is the confidence of each answer, `shown` 1 where it was right. Numbers: the answer, its residual.
    """

    version: str
    regression: bool
    given: Floats
    shown: Floats

    def estimator(self) -> Estimator | None:
        """What these answers teach; None where they are too few."""
        if self.regression:
            return number_estimator(self.version, self.given, self.shown)
        return class_estimator(self.version, self.given, self.shown > 0)


def class_estimator(version: str, confidence: Floats, right: Bools) -> Estimator | None:
    """From labelled rows in order: confidence of each answer, and whether it was right."""
    if len(right) < LEAST_ROWS:
        return None
    half = len(right) // 2
    early = _calibrated(version, confidence[:half], right[:half])
    late, truth = confidence[half:], right[half:]
    chance = early.chance(late)
    helps = calibration_error(truth, chance) < calibration_error(truth, late)
    judged, out = (chance, _calibrated(version, confidence, right)) if helps else (late, Estimator(version, False))
    gaps = [float(judged[block].mean() - truth[block].mean()) for block in _blocks(len(late))]
    out.errors = {"accuracy": 2 * float(np.sqrt(np.mean(np.square(gaps))))}
    return out


def number_estimator(version: str, answer: Floats, residual: Floats) -> Estimator | None:
    """From labelled rows in order: each answer and its residual."""
    if len(answer) < LEAST_ROWS:
        return None
    half = len(answer) // 2
    early = _by_range(version, answer[:half], residual[:half])
    gaps: dict[str, list[float]] = {"mae": [], "rmse": []}
    for block in _blocks(len(answer) - half):
        answers, residuals = answer[half:][block], residual[half:][block]
        estimated = early.values(answers, answers, None)
        gaps["mae"].append(estimated["mae"] - float(np.abs(residuals).mean()))
        gaps["rmse"].append(estimated["rmse"] - float(np.sqrt(np.mean(residuals**2))))
    out = _by_range(version, answer, residual)
    out.errors = {name: 2 * float(np.sqrt(np.mean(np.square(values)))) for name, values in gaps.items()}
    return out


def _blocks(count: int) -> list[slice]:
    """Five stretches of so many rows, the first ones longer by one where they do not come out even."""
    size, over = divmod(count, _BLOCKS)
    edges = [place * size + min(place, over) for place in range(_BLOCKS + 1)]
    return [slice(first, until) for first, until in itertools.pairwise(edges)]


def _calibrated(version: str, confidence: Floats, right: Bools) -> Estimator:
    from scipy.optimize import isotonic_regression  # it takes as long as all other imports here

    order = order_of(confidence)
    fitted = isotonic_regression(right[order].astype(float)).x
    ordered = confidence[order]
    first = np.flatnonzero(np.concatenate([[True], ordered[1:] != ordered[:-1]]))
    sizes = np.diff(np.concatenate([first, [len(order)]]))
    return Estimator(version, False, ordered[first], np.add.reduceat(fitted, first) / sizes)


def _by_range(version: str, answer: Floats, residual: Floats) -> Estimator:
    bins = int(np.clip(len(answer) // 50, 1, 10))
    knots = np.unique(np.quantile(answer, np.arange(1, bins) / bins)) if bins > 1 else np.empty(0)
    place = np.searchsorted(knots, answer, side="right")
    counts = np.maximum(1, np.bincount(place, minlength=len(knots) + 1))
    absolute = np.bincount(place, np.abs(residual), len(knots) + 1) / counts
    squared = np.bincount(place, residual**2, len(knots) + 1) / counts
    return Estimator(version, True, knots, absolute, squared)
