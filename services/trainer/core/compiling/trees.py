"""Forests, isolation forests and histogram gradient boosting as plain trees.

scikit-learn's forests round their input to float32 before they compare it with float64 thresholds, and
so does the compiled form; its boosting compares float64 throughout.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.utils import get_tags

from services.trainer.core.compiling.columns import Column, expansion_of
from services.trainer.core.compiling.graph import Tree, graph_of
from shared.models.program import Expansion, Floats, Tensor, Trees


def forest_of(estimator: Any, columns: Sequence[Column]) -> tuple[Expansion, Trees]:
    """A random forest or extra trees. Of two classes the figure is the second's probability."""
    expansion, positions = expansion_of(columns, single=True, gaps=_takes_gaps(estimator))
    per_leaf = [each.tree_.value[:, 0, :] for each in estimator.estimators_]
    count, classes = len(per_leaf), per_leaf[0].shape[1]
    if classes <= 2:
        trees = [
            _tree(each.tree_, positions, values[:, -1])
            for each, values in zip(estimator.estimators_, per_leaf, strict=True)
        ]
        return expansion, Trees(onnx=graph_of(trees, columns=len(columns), figures=1), divisor=float(count))
    begins = np.cumsum([0, *(len(values) for values in per_leaf[:-1])])
    trees = [
        replace(_tree(each.tree_, positions, begin + np.arange(len(values), dtype=np.float64)), target=index)
        for index, (each, values, begin) in enumerate(zip(estimator.estimators_, per_leaf, begins, strict=True))
    ]
    onnx = graph_of(trees, columns=len(columns), figures=count)
    return expansion, Trees(onnx=onnx, divisor=float(count), leaves=Tensor.of(np.concatenate(per_leaf)))


def isolation_of(estimator: Any, columns: Sequence[Column]) -> tuple[Expansion, Trees]:
    """An isolation forest (Liu, Ting and Zhou, 2008): the figure is the mean path length over the expected one."""
    expansion, positions = expansion_of(columns, single=True, gaps=_takes_gaps(estimator))
    trees = []
    for each, features in zip(estimator.estimators_, estimator.estimators_features_, strict=True):
        tree = each.tree_
        lengths = _depths(tree) + _expected_length(tree.n_node_samples)
        trees.append(_tree(tree, [positions[feature] for feature in features], lengths))
    expected = _expected_length(np.array([estimator.max_samples_]))[0]
    onnx = graph_of(trees, columns=len(columns), figures=1)
    return expansion, Trees(onnx=onnx, divisor=float(len(trees) * expected))


def _tree(tree: Any, positions: Sequence[int], values: Floats) -> Tree:
    inner = tree.children_left >= 0
    features = np.zeros(len(inner), dtype=np.int64)
    features[inner] = np.array(positions, dtype=np.int64)[tree.feature[inner]]
    left = tree.children_left.astype(np.int64)
    right = tree.children_right.astype(np.int64)
    gap_left = tree.__getstate__()["nodes"]["missing_go_to_left"].astype(np.bool_)
    return Tree(features, tree.threshold, left, right, gap_left, values)


def _takes_gaps(estimator: Any) -> bool:
    return bool(get_tags(estimator).input_tags.allow_nan)


def _depths(tree: Any) -> Floats:
    """Edges from the root, by node; a child has a higher number than its parent."""
    depths = np.zeros(tree.node_count)
    for node in range(tree.node_count):
        for child in (tree.children_left[node], tree.children_right[node]):
            if child >= 0:
                depths[child] = depths[node] + 1
    return depths


def _expected_length(samples: NDArray[Any]) -> Floats:
    """The mean path length of an unsuccessful search among so many samples (Liu, Ting and Zhou, 2008, equation 1)."""
    counts = np.asarray(samples, dtype=np.float64)
    many = np.maximum(counts, 3.0)
    found = 2.0 * (np.log(many - 1.0) + np.euler_gamma) - 2.0 * (many - 1.0) / many
    return np.where(counts <= 1, 0.0, np.where(counts == 2, 1.0, found))
