"""How good answers are, by the names the whole system uses, and the folds they are measured on.

Answers are arrays over rows: for classes `predicted` holds class codes and `probabilities` is
(rows, classes); for regression `predicted` holds numbers; for anomalies `scores` are in [0, 1].
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
from sklearn import metrics as sk

Floats = npt.NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Outcome:
    """A model's answers to the rows of a holdout."""

    predicted: Floats
    probabilities: Floats | None = None
    scores: Floats | None = None

    @property
    def finite(self) -> bool:
        arrays = (self.predicted, self.probabilities, self.scores)
        return all(bool(np.isfinite(array).all()) for array in arrays if array is not None)

    @property
    def distinct(self) -> int:
        """How many different answers there are; scores count as answers where there are some."""
        answers = [array for array in (self.scores, self.probabilities, self.predicted) if array is not None]
        return len(np.unique(answers[0], axis=0)) if len(answers[0]) else 0


def measures(kind: str, truth: Floats | None, outcome: Outcome, classes: int = 0) -> dict[str, float]:
    """Every metric that these rows allow, by name; one that cannot be computed on them is left out.

    `truth` is in the form of `outcome.predicted`, None for anomalies without labels. `classes` is
    their number; for binary pipelines code 1 is the positive class.
    """
    if len(outcome.predicted) == 0 or not outcome.finite:
        return {}
    if kind == "anomaly":
        found = _of_scores(truth, outcome)
    elif truth is None:
        found = {}
    elif kind == "regression":
        found = _of_numbers(truth, outcome.predicted)
    else:
        found = _of_classes(kind, truth, outcome, classes)
    return {name: value for name, value in found.items() if np.isfinite(value)}


def separation(ordinary: Floats, uniform: Floats) -> float:
    """How well anomaly scores tell real rows from rows drawn uniformly over their box: ROC AUC.

    Telling a sample from a reference measure is density level detection (Steinwart, Hush and
    Scovel, "A Classification Framework for Anomaly Detection", 2005); it needs no labels.
    """
    truth = np.concatenate([np.zeros(len(ordinary)), np.ones(len(uniform))])
    return float(sk.roc_auc_score(truth, np.concatenate([ordinary, uniform])))


def baseline(kind: str, fitted: Floats, truth: Floats, classes: int = 0) -> dict[str, float]:
    """The metrics of the majority class (with the classes' shares as probabilities), or of the mean."""
    if kind == "regression":
        return measures(kind, truth, Outcome(np.full(len(truth), fitted.mean())))
    shares = np.bincount(fitted.astype(int), minlength=classes) / max(1, len(fitted))
    predicted = np.full(len(truth), float(shares.argmax()))
    return measures(kind, truth, Outcome(predicted, np.tile(shares, (len(truth), 1))), classes)


def folds(rows: int, count: int) -> Iterator[tuple[slice, slice]]:
    """Time-ordered folds: each is fitted on all rows before those it is tested on.

    >>> [(fit.stop, test.stop) for fit, test in folds(100, 3)]
    [(25, 50), (50, 75), (75, 100)]
    """
    size = rows // (count + 1)
    for k in range(1, count + 1):
        start = rows - size * (count + 1 - k)
        yield slice(0, start), slice(start, start + size)


def _of_numbers(truth: Floats, predicted: Floats) -> dict[str, float]:
    found = {
        "mae": float(sk.mean_absolute_error(truth, predicted)),
        "rmse": float(sk.root_mean_squared_error(truth, predicted)),
    }
    if len(truth) > 1 and np.ptp(truth) > 0:
        found["r2"] = float(sk.r2_score(truth, predicted))
    return found


def _of_classes(kind: str, truth: Floats, outcome: Outcome, classes: int) -> dict[str, float]:
    present = np.unique(truth)
    recalls = [float(np.mean(outcome.predicted[truth == each] == each)) for each in present]
    average: dict[str, Any] = {"labels": [1], "average": "macro"} if kind == "binary" else {"average": "macro"}
    found = {
        "accuracy": float(np.mean(outcome.predicted == truth)),
        "balanced_accuracy": float(np.mean(recalls)),
        "f1": float(sk.f1_score(truth, outcome.predicted, zero_division=0, **average)),
    }
    if outcome.probabilities is None:
        return found
    labels = np.arange(classes)
    found["log_loss"] = float(sk.log_loss(truth, _normalised(outcome.probabilities), labels=labels))
    if kind == "binary" and len(present) == 2:
        found["roc_auc"] = float(sk.roc_auc_score(truth, outcome.probabilities[:, 1]))
    elif kind == "multiclass" and len(present) == classes > 2:
        probabilities = _normalised(outcome.probabilities)
        found["roc_auc"] = float(sk.roc_auc_score(truth, probabilities, multi_class="ovr", labels=labels))
    return found


def _normalised(probabilities: Floats) -> Floats:
    clipped = np.clip(probabilities, 1e-15, 1.0)
    return np.asarray(clipped / clipped.sum(axis=1, keepdims=True), dtype=np.float64)


def _of_scores(truth: Floats | None, outcome: Outcome) -> dict[str, float]:
    scores = outcome.scores if outcome.scores is not None else outcome.predicted
    found = {
        "anomaly_share": float(outcome.predicted.mean()),
        "score_mean": float(scores.mean()),
        "score_p99": float(np.quantile(scores, 0.99)),
    }
    if truth is not None and len(np.unique(truth)) == 2:
        found["roc_auc"] = float(sk.roc_auc_score(truth, scores))
        found["f1"] = float(sk.f1_score(truth, outcome.predicted, zero_division=0))
        found["accuracy"] = float(np.mean(truth == outcome.predicted))
        found["balanced_accuracy"] = float(sk.balanced_accuracy_score(truth, outcome.predicted))
    return found
