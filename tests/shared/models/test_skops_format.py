"""The skops format: the same estimator gives the same bytes, and answers as before."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import skops.io
from sklearn.ensemble import HistGradientBoostingClassifier, RandomForestClassifier
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from shared.models.skops_format import TRUSTED, dump

TABLE = np.random.default_rng(1).normal(size=(120, 4))
TRUTH = (TABLE[:, 0] > 0).astype(int)

ESTIMATORS = [
    lambda: make_pipeline(StandardScaler(), LogisticRegression()),
    lambda: RandomForestClassifier(n_estimators=3, random_state=0),
    lambda: HistGradientBoostingClassifier(max_iter=4, random_state=0),
]


@pytest.mark.parametrize("make", ESTIMATORS)
def test_fitted_twice_on_the_same_rows_it_is_the_same_file(make: Any) -> None:
    first, second = (dump(make().fit(TABLE, TRUTH)) for _ in range(2))

    assert first == second


@pytest.mark.parametrize("make", ESTIMATORS)
def test_it_answers_as_before(make: Any) -> None:
    estimator = make().fit(TABLE, TRUTH)

    again = skops.io.loads(dump(estimator), trusted=TRUSTED)

    assert np.array_equal(again.predict_proba(TABLE), estimator.predict_proba(TABLE))
