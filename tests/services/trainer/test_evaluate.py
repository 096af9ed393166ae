"""Figures by their names, and folds in the order of time."""

from __future__ import annotations

import numpy as np
import pytest

from services.trainer.core.evaluate import Outcome, baseline, folds, measures, separation


def outcome(probabilities: list[float]) -> Outcome:
    positive = np.array(probabilities)
    return Outcome((positive > 0.5).astype(float), np.column_stack([1 - positive, positive]))


def test_a_binary_outcome_has_every_metric_by_name() -> None:
    found = measures("binary", np.array([0.0, 0.0, 1.0, 1.0]), outcome([0.1, 0.6, 0.7, 0.9]), classes=2)

    assert found["accuracy"] == pytest.approx(0.75)
    assert found["balanced_accuracy"] == pytest.approx(0.75)
    assert found["f1"] == pytest.approx(0.8)
    assert found["roc_auc"] == pytest.approx(1.0)
    assert found["log_loss"] == pytest.approx(-np.log([0.9, 0.4, 0.7, 0.9]).mean())


def test_with_labels_of_one_class_only_what_cannot_be_computed_is_left_out() -> None:
    found = measures("binary", np.zeros(3), outcome([0.1, 0.2, 0.9]), classes=2)

    assert "roc_auc" not in found
    assert found["accuracy"] == pytest.approx(2 / 3)


def test_three_classes_have_a_macro_f1_and_a_one_against_the_rest_auc() -> None:
    probabilities = np.array([[0.8, 0.1, 0.1], [0.2, 0.7, 0.1], [0.1, 0.2, 0.7], [0.6, 0.3, 0.1]])

    found = measures(
        "multiclass", np.array([0.0, 1.0, 2.0, 1.0]), Outcome(probabilities.argmax(1) * 1.0, probabilities), 3
    )

    assert found["accuracy"] == pytest.approx(0.75)
    assert 0 < found["roc_auc"] <= 1


def test_a_label_that_is_no_class_of_the_model_counts_as_wrong() -> None:
    found = measures("binary", np.array([-1.0, 1.0]), Outcome(np.array([0.0, 1.0])), classes=2)

    assert found["accuracy"] == pytest.approx(0.5)


def test_numbers_are_measured_by_error_and_explained_variance() -> None:
    found = measures("regression", np.array([1.0, 2.0, 3.0]), Outcome(np.array([1.0, 2.0, 5.0])))

    assert found["mae"] == pytest.approx(2 / 3)
    assert found["rmse"] == pytest.approx(np.sqrt(4 / 3))
    assert found["r2"] == pytest.approx(-1.0)


def test_an_outcome_with_gaps_has_no_metrics() -> None:
    assert measures("regression", np.array([1.0]), Outcome(np.array([np.nan]))) == {}


def test_the_baseline_is_the_majority_class_or_the_mean() -> None:
    assert baseline("binary", np.array([1.0, 1, 0]), np.array([1.0, 0, 0, 0]), 2)["accuracy"] == pytest.approx(0.25)
    assert baseline("regression", np.array([0.0, 4.0]), np.array([2.0, 5.0]))["mae"] == pytest.approx(1.5)


def test_every_fold_is_fitted_on_nothing_later_than_it_is_tested_on() -> None:
    found = list(folds(103, 3))

    assert all(fit.stop == test.start for fit, test in found)
    assert found[-1][1].stop == 103
    assert len(found) == 3


def test_separation_is_one_for_scores_that_tell_all_apart_and_half_for_those_that_tell_nothing() -> None:
    assert separation(np.array([0.1, 0.2]), np.array([0.8, 0.9])) == pytest.approx(1.0)
    assert separation(np.array([0.5, 0.5]), np.array([0.5, 0.5])) == pytest.approx(0.5)
