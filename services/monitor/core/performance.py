"""How right the answers were: the usual measures over labelled rows, by kind of pipeline."""

from __future__ import annotations

import numpy as np

from services.monitor.core.distributions import ranks_of
from services.monitor.core.state import Bools, Floats

LOWER_IS_BETTER = ("mae", "rmse", "log_loss", "calibration_error")
_BINS = 10
_LEAST_PROBABILITY = 1e-15


def worse(metric: str, value: float, than: float) -> bool:
    """Whether `value` is strictly worse in this metric.

    >>> worse("mae", 2.0, than=1.0), worse("accuracy", 0.9, than=0.8)
    (True, False)
    """
    return value > than if metric in LOWER_IS_BETTER else value < than


def worse_by(metric: str, value: float, amount: float) -> float:
    """What is worse than `value` by `amount`.

    >>> worse_by("mae", 2.0, 0.5), worse_by("accuracy", 0.75, 0.25)
    (2.5, 0.5)
    """
    return value + amount if metric in LOWER_IS_BETTER else value - amount


def regression_values(truth: Floats, answer: Floats) -> dict[str, float]:
    """mae, rmse and r2 (0 for a constant truth)."""
    error = answer - truth
    spread = float(np.sum((truth - truth.mean()) ** 2))
    return {
        "mae": float(np.abs(error).mean()),
        "rmse": float(np.sqrt(np.mean(error**2))),
        "r2": 1.0 - float(np.sum(error**2)) / spread if spread > 0 else 0.0,
    }


def class_values(truth: Floats, answer: Floats, proba: Floats | None, positive: int | None) -> dict[str, float]:
    """Measures of class answers; `positive` is the code of the positive class, None for several.

    Precision, recall and f1 speak of the positive class, or are means over the classes that occur
    (macro). roc_auc, log_loss and calibration_error need `proba` (rows by class code) and are left
    out without; roc_auc also needs two classes among the rows.
    """
    right = truth == answer
    places = truth.astype(int)
    counts = np.bincount(places)
    codes = np.flatnonzero(counts)
    recalls = (np.bincount(places[right], minlength=len(counts)) / np.maximum(1, counts))[codes]
    values = {"accuracy": float(right.mean()), "balanced_accuracy": float(recalls.mean())}
    spoken_of = [float(positive)] if positive is not None else np.union1d(codes, answer).tolist()
    parts = np.array([_precision_recall(truth == code, answer == code) for code in spoken_of])
    values |= dict(zip(("precision", "recall", "f1"), map(float, parts.mean(axis=0)), strict=True))
    if proba is not None:
        with_proba = ~np.isnan(proba).any(axis=1)
        if with_proba.all():
            values |= _probability_values(truth, proba, positive)
        elif with_proba.any():
            values |= _probability_values(truth[with_proba], proba[with_proba], positive)
    return values


def roc_auc(positive: Bools, score: Floats) -> float | None:
    """The chance that a positive row scores above a negative one (ties count half); None for one class."""
    ones = int(positive.sum())
    zeros = len(positive) - ones
    if ones == 0 or zeros == 0:
        return None
    return float((ranks_of(score)[positive].sum() - ones * (ones + 1) / 2) / (ones * zeros))


def calibration_error(hit: Bools, confidence: Floats) -> float:
    """Expected calibration error over ten equal bins of confidence (Naeini et al. 2015)."""
    bins = np.minimum((confidence * _BINS).astype(int), _BINS - 1)
    sizes = np.bincount(bins, minlength=_BINS)
    gaps = np.abs(np.bincount(bins, hit, _BINS) - np.bincount(bins, confidence, _BINS))
    return float(gaps[sizes > 0].sum() / len(hit))


def _precision_recall(truth: Bools, answer: Bools) -> tuple[float, float, float]:
    both, claimed, real = int((truth & answer).sum()), int(answer.sum()), int(truth.sum())
    precision = both / claimed if claimed else 0.0
    recall = both / real if real else 0.0
    return precision, recall, 2 * both / (claimed + real) if claimed + real else 0.0


def _probability_values(truth: Floats, proba: Floats, positive: int | None) -> dict[str, float]:
    codes = truth.astype(int)
    width = proba.shape[1]
    of_truth = np.where(codes < width, proba[np.arange(len(codes)), np.minimum(codes, width - 1)], 0.0)
    values = {"log_loss": float(-np.log(np.minimum(np.maximum(of_truth, _LEAST_PROBABILITY), 1.0)).mean())}
    if positive is not None and positive < width:
        values["calibration_error"] = calibration_error(codes == positive, proba[:, positive])
        areas = [roc_auc(codes == positive, proba[:, positive])]
    else:
        values["calibration_error"] = calibration_error(proba.argmax(axis=1) == codes, proba.max(axis=1))
        areas = [roc_auc(codes == code, proba[:, code]) for code in np.unique(codes) if code < width]
    found = [area for area in areas if area is not None]
    return values | ({"roc_auc": float(np.mean(found))} if found else {})
