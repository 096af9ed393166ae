"""What stands before a learner: gaps filled and marked, numbers scaled, categories one-hot.

The input form is that of `shared.models.inputs`: scikit-learn takes a float64 matrix in which NaN is
missing and text is a code; river takes one dict per row in which gaps are filled already.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from shared.models.metadata import Input


def columns_of(inputs: Sequence[Input]) -> tuple[list[int], list[int]]:
    """The positions of the numbers and of the categories.

    >>> columns_of([Input("price"), Input("day", categories=("mon", "tue"))])
    ([0], [1])
    """
    numbers = [index for index, each in enumerate(inputs) if each.categories is None]
    return numbers, [index for index, each in enumerate(inputs) if each.categories is not None]


def sklearn_pipeline(inputs: Sequence[Input], estimator: Any, *, scale: bool) -> Any:
    """`estimator` behind the preprocessing, as one unfitted Pipeline.

    A missing number becomes the median, and a column more says that it was missing (for columns that
    had gaps in training). A category unseen in training has all its columns at zero.
    """
    from sklearn.compose import ColumnTransformer
    from sklearn.impute import SimpleImputer
    from sklearn.pipeline import Pipeline
    from sklearn.preprocessing import OneHotEncoder, StandardScaler

    numbers, categories = columns_of(inputs)
    filled = SimpleImputer(strategy="median", add_indicator=True, keep_empty_features=True)
    steps: list[tuple[str, Any, list[int]]] = []
    if numbers:
        steps.append(
            ("numbers", Pipeline([("fill", filled), ("scale", StandardScaler())]) if scale else filled, numbers)
        )
    if categories:
        steps.append(("categories", OneHotEncoder(handle_unknown="ignore", sparse_output=False), categories))
    return Pipeline([("inputs", ColumnTransformer(steps)), ("learner", estimator)])


def boosting_pipeline(numbers: list[int], categories: list[int], learner: Any) -> Any:
    """`learner` for input that it takes with gaps and codes as they are, the categories' columns first.

    A number that never changes in training, or is always missing, is dropped: binning fails on it.
    """
    from sklearn.compose import ColumnTransformer
    from sklearn.feature_selection import VarianceThreshold
    from sklearn.pipeline import Pipeline

    steps = [("categories", "passthrough", categories), ("numbers", VarianceThreshold(), numbers)]
    return Pipeline([("inputs", ColumnTransformer([each for each in steps if each[2]])), ("learner", learner)])


def river_pipeline(inputs: Sequence[Input], learner: Any, *, scaler: Any) -> Any:
    """`learner` behind `scaler` for the numbers and one-hot columns for the categories, nothing learnt yet.

    Parts are selected by type and not by name: river keeps names in a set, whose order differs from
    process to process, and with it the last digit of every sum.
    """
    from river import compose, preprocessing

    numbers, categories = columns_of(inputs)
    parts = []
    if numbers:
        parts.append(compose.SelectType(float) | scaler)
    if categories:
        parts.append(compose.SelectType(str) | preprocessing.OneHotEncoder())
    before = parts[0] if len(parts) == 1 else compose.TransformerUnion(*parts)
    return before | learner
