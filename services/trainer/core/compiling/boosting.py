"""Histogram gradient boosting as plain trees.

A split by categories becomes a column of its own, read from a table by the category's code: 0 where the
row goes left, 1 where it goes right, gaps and unknown categories as the split has them.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from services.trainer.core.compiling.columns import Column, expansion_of
from services.trainer.core.compiling.errors import NotCompilableError
from services.trainer.core.compiling.graph import Tree, graph_of
from shared.models.metadata import Input
from shared.models.program import Expansion, Floats, Lookup, Tensor, Trees

_WORD = 32


def boosted_of(estimator: Any, columns: Sequence[Column], inputs: Sequence[Input]) -> tuple[Expansion, Trees]:
    """A HistGradientBoosting classifier or regressor; the figures are its raw sums."""
    if not all(each.untouched for each in columns):
        raise NotCompilableError("boosting behind a pipeline that changes values has no compiled form")
    splits = _Splits(estimator, columns, inputs)
    grown = [(tree, figure) for stage in estimator._predictors for figure, tree in enumerate(stage)]
    splits.collect(tree for tree, _ in grown)
    expansion, _ = expansion_of(splits.numbers, splits.lookups, gaps=True)
    trees = [splits.tree(tree, figure) for tree, figure in grown]
    baseline = tuple(np.ravel(estimator._baseline_prediction).tolist())
    onnx = graph_of(trees, columns=splits.width, figures=len(baseline))
    return expansion, Trees(onnx=onnx, baseline=baseline)


class _Splits:
    """Where each split finds its column: numbers first, then one per distinct split by categories."""

    def __init__(self, estimator: Any, columns: Sequence[Column], inputs: Sequence[Input]) -> None:
        by_categories = estimator.is_categorical_
        flags = np.zeros(len(columns), dtype=bool) if by_categories is None else by_categories
        chosen = [column for column, flag in zip(columns, flags, strict=True) if flag]
        self.numbers = [column for column, flag in zip(columns, flags, strict=True) if not flag]
        self._codes = [_codes_of(inputs[column.source]) for column in chosen]
        self._sources = [column.source for column in chosen]
        self._known = estimator._preprocessor.named_transformers_["encoder"].categories_ if chosen else []
        self._tables: list[dict[bytes, int]] = [{} for _ in chosen]

    @property
    def width(self) -> int:
        return len(self.numbers) + sum(len(table) for table in self._tables)

    @property
    def lookups(self) -> list[Lookup]:
        pairs = zip(self._sources, self._tables, strict=True)
        return [
            Lookup(source, Tensor.of(np.stack([np.frombuffer(each, dtype=np.float64) for each in table], axis=1)))
            for source, table in pairs
            if table
        ]

    def collect(self, trees: Any) -> None:
        """Gives every distinct split by categories its column."""
        for tree in trees:
            for node in _by_categories(tree):
                feature = int(tree.nodes["feature_idx"][node])
                self._tables[feature].setdefault(self._sides(tree, node), len(self._tables[feature]))

    def tree(self, tree: Any, figure: int) -> Tree:
        nodes = tree.nodes
        is_leaf = nodes["is_leaf"].astype(bool)
        features = nodes["feature_idx"].astype(np.int64) - len(self._sources)
        thresholds = nodes["num_threshold"].astype(np.float64)
        for node in _by_categories(tree):
            features[node] = self._position(int(nodes["feature_idx"][node]), self._sides(tree, node))
            thresholds[node] = 0.5
        left = np.where(is_leaf, -1, nodes["left"].astype(np.int64))
        gap_left = nodes["missing_go_to_left"].astype(bool)
        return Tree(features, thresholds, left, nodes["right"].astype(np.int64), gap_left, nodes["value"], figure)

    def _position(self, feature: int, sides: bytes) -> int:
        before = sum(len(table) for table in self._tables[:feature])
        return len(self.numbers) + before + self._tables[feature][sides]

    def _sides(self, tree: Any, node: int) -> bytes:
        """The side a row takes by its category's code, the last for a gap: 0 left, 1 right, as float64."""
        record = tree.nodes[node]
        feature = int(record["feature_idx"])
        gap = 0.0 if record["missing_go_to_left"] else 1.0
        found = np.full(self._codes[feature] + 1, gap)
        words = tree.raw_left_cat_bitsets[int(record["bitset_idx"])]
        for position, code in enumerate(self._known[feature]):
            if 0 <= code < self._codes[feature]:
                found[int(code)] = 0.0 if _has(words, position) else 1.0
        return found.tobytes()


def _by_categories(tree: Any) -> list[int]:
    """The nodes that split by categories."""
    found: list[int] = np.flatnonzero(tree.nodes["is_categorical"] & (1 - tree.nodes["is_leaf"])).tolist()
    return found


def _codes_of(item: Input) -> int:
    if item.categories is None:
        raise NotCompilableError(f"{item.name!r} is a number that is split by categories, which has no compiled form")
    return len(item.categories)


def _has(words: NDArray[np.uint32] | Floats, bit: int) -> bool:
    return bool(int(words[bit // _WORD]) >> (bit % _WORD) & 1)
