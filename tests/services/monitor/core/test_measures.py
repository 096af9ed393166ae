"""Performance measures agree with scikit-learn; estimates and windows do what they say."""

from __future__ import annotations

import numpy as np
import pytest
from sklearn import metrics as peer

from services.monitor.core.estimate import class_estimator, number_estimator
from services.monitor.core.performance import class_values, regression_values
from services.monitor.core.windows import Windows


def rows(*numbers: int) -> np.ndarray:
    return np.array(numbers, np.int64)


def test_binary_measures_are_those_of_scikit_learn() -> None:
    rng = np.random.default_rng(0)
    score = rng.random(500).round(2)
    truth = (rng.random(500) < score).astype(float)
    answer = (score > 0.6).astype(float)
    own = class_values(truth, answer, np.column_stack([1 - score, score]), 1)
    assert own["accuracy"] == pytest.approx(peer.accuracy_score(truth, answer))
    assert own["balanced_accuracy"] == pytest.approx(peer.balanced_accuracy_score(truth, answer))
    assert own["precision"] == pytest.approx(peer.precision_score(truth, answer))
    assert own["recall"] == pytest.approx(peer.recall_score(truth, answer))
    assert own["f1"] == pytest.approx(peer.f1_score(truth, answer))
    assert own["roc_auc"] == pytest.approx(peer.roc_auc_score(truth, score))
    assert own["log_loss"] == pytest.approx(peer.log_loss(truth, np.clip(score, 1e-15, 1 - 1e-15)))
    assert own["calibration_error"] < 0.1


def test_measures_of_several_classes_are_means_over_them() -> None:
    rng = np.random.default_rng(1)
    proba = rng.dirichlet([1.0, 1.0, 1.0], 400)
    truth = np.array([rng.choice(3, p=p) for p in proba]).astype(float)
    answer = proba.argmax(axis=1).astype(float)
    own = class_values(truth, answer, proba, None)
    assert own["f1"] == pytest.approx(peer.f1_score(truth, answer, average="macro"))
    assert own["roc_auc"] == pytest.approx(peer.roc_auc_score(truth, proba, multi_class="ovr"))
    assert own["log_loss"] == pytest.approx(peer.log_loss(truth, proba))


def test_a_window_with_one_class_has_no_auc_and_no_error() -> None:
    own = class_values(np.ones(10), np.ones(10), np.full((10, 2), 0.5), 1)
    assert "roc_auc" not in own
    assert own["accuracy"] == 1.0


def test_regression_measures_are_those_of_scikit_learn() -> None:
    rng = np.random.default_rng(2)
    truth, answer = rng.normal(size=100), rng.normal(size=100)
    own = regression_values(truth, answer)
    assert own["mae"] == pytest.approx(peer.mean_absolute_error(truth, answer))
    assert own["rmse"] == pytest.approx(peer.root_mean_squared_error(truth, answer))
    assert own["r2"] == pytest.approx(peer.r2_score(truth, answer))


def test_an_overconfident_model_is_calibrated_before_it_is_believed() -> None:
    rng = np.random.default_rng(3)
    confidence = rng.uniform(0.5, 1.0, 2000)
    right = rng.random(2000) < 0.5 + 0.5 * (confidence - 0.5)
    estimator = class_estimator("1", confidence, right)
    assert estimator is not None
    fresh = rng.uniform(0.8, 1.0, 500)
    estimated = estimator.values(np.ones(500), fresh, np.ones(500, bool))["accuracy"]
    assert abs(estimated - (0.5 + 0.5 * 0.4)) <= max(0.03, estimator.errors["accuracy"])
    assert fresh.mean() - estimated > 0.15


def test_a_regression_error_is_estimated_from_where_the_answers_lie() -> None:
    rng = np.random.default_rng(4)
    answer = rng.uniform(0, 10, 2000)
    estimator = number_estimator("1", answer, rng.normal(0, 0.1 + answer))
    assert estimator is not None
    low = estimator.values(rng.uniform(0, 1, 500), np.empty(0), None)["mae"]
    high = estimator.values(rng.uniform(9, 10, 500), np.empty(0), None)["mae"]
    assert high > 5 * low
    assert estimator.errors["mae"] > 0


def test_too_few_labelled_rows_give_no_estimate() -> None:
    assert class_estimator("1", np.full(50, 0.9), np.ones(50, bool)) is None


def test_a_window_closes_at_its_last_needed_label_and_the_next_follows_without_gap() -> None:
    windows = Windows(3)
    assert windows.add(rows(0, 2), rows()) == []
    (span,) = windows.add(rows(5, 6), rows())
    assert (span.index, span.first, span.last) == (0, 0, 5)
    assert windows.starts == 6


def test_late_and_corrected_labels_make_their_window_dirty_once() -> None:
    windows = Windows(2)
    windows.add(rows(0, 2, 3, 4), rows())
    windows.add(rows(1), rows(0))
    (span,) = windows.revised(0)
    assert (span.index, span.revision) == (0, 1)
    assert windows.revised(0) == []


def test_a_window_no_longer_whole_in_memory_is_not_revised() -> None:
    windows = Windows(2)
    windows.add(rows(0, 2, 3, 4), rows())
    windows.add(rows(), rows(0))
    assert windows.revised(oldest=1) == []
