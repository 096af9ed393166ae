"""Trees as the ONNX operator TreeEnsemble (ai.onnx.ml 5) in double precision.

Float32, which converters commonly choose, would send a row whose value lies beside a split another way.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from onnx import TensorProto, helper, numpy_helper

from shared.models.program import Floats

_ML_OPSET = 5
_OPSET = 21
_IR_VERSION = 10
_SUM = 1
_NO_TRANSFORM = 0
_LESS_OR_EQUAL = 0


@dataclass(frozen=True, slots=True)
class Tree:
    """One tree by node; node 0 is the root. A row goes `left` where its value is at most the threshold.

    `left` is -1 at a leaf. `gap_left`: where a missing value goes. `values` count at leaves, for figure `target`.
    """

    features: NDArray[np.int64]
    thresholds: Floats
    left: NDArray[np.int64]
    right: NDArray[np.int64]
    gap_left: NDArray[np.bool_]
    values: Floats
    target: int = 0


def graph_of(trees: Sequence[Tree], *, columns: int, figures: int) -> bytes:
    """The trees as an ONNX model: (rows, columns) in, the sums by figure (rows, figures) out."""
    parts = _Parts()
    for tree in trees:
        parts.add(tree if tree.left[0] >= 0 else _with_a_split(tree))
    node = helper.make_node("TreeEnsemble", ["columns"], ["figures"], domain="ai.onnx.ml", **parts.attributes(figures))
    graph = helper.make_graph(
        [node],
        "trees",
        [helper.make_tensor_value_info("columns", TensorProto.DOUBLE, [None, columns])],
        [helper.make_tensor_value_info("figures", TensorProto.DOUBLE, [None, figures])],
    )
    opsets = [helper.make_opsetid("ai.onnx.ml", _ML_OPSET), helper.make_opsetid("", _OPSET)]
    model = helper.make_model(graph, opset_imports=opsets, ir_version=_IR_VERSION, producer_name="homeostat")
    data: bytes = model.SerializeToString(deterministic=True)
    return data


class _Parts:
    """The operator's attributes while trees are added: inner nodes and leaves are counted apart."""

    def __init__(self) -> None:
        self.roots: list[int] = []
        self.features: list[int] = []
        self.thresholds: list[float] = []
        self.gaps: list[int] = []
        self.true: list[tuple[int, bool]] = []
        self.false: list[tuple[int, bool]] = []
        self.weights: list[float] = []
        self.targets: list[int] = []

    def add(self, tree: Tree) -> None:
        is_leaf = tree.left < 0
        node_ids = len(self.features) + np.cumsum(~is_leaf) - 1
        leaf_ids = len(self.weights) + np.cumsum(is_leaf) - 1
        ids = np.where(is_leaf, leaf_ids, node_ids)
        inner, leaves = np.flatnonzero(~is_leaf), np.flatnonzero(is_leaf)
        self.roots.append(int(ids[0]))
        self.features += tree.features[inner].tolist()
        self.thresholds += tree.thresholds[inner].tolist()
        self.gaps += tree.gap_left[inner].astype(int).tolist()
        self.true += _children(tree.left[inner], ids, is_leaf)
        self.false += _children(tree.right[inner], ids, is_leaf)
        self.weights += tree.values[leaves].tolist()
        self.targets += [tree.target] * len(leaves)

    def attributes(self, figures: int) -> dict[str, Any]:
        modes = np.full(len(self.features), _LESS_OR_EQUAL, dtype=np.uint8)
        return {
            "n_targets": figures,
            "aggregate_function": _SUM,
            "post_transform": _NO_TRANSFORM,
            "tree_roots": self.roots,
            "nodes_featureids": self.features,
            "nodes_splits": numpy_helper.from_array(np.array(self.thresholds, dtype=np.float64)),
            "nodes_modes": numpy_helper.from_array(modes),
            "nodes_missing_value_tracks_true": self.gaps,
            "nodes_truenodeids": [child for child, _ in self.true],
            "nodes_trueleafs": [int(leaf) for _, leaf in self.true],
            "nodes_falsenodeids": [child for child, _ in self.false],
            "nodes_falseleafs": [int(leaf) for _, leaf in self.false],
            "leaf_targetids": self.targets,
            "leaf_weights": numpy_helper.from_array(np.array(self.weights, dtype=np.float64)),
        }


def _children(nodes: NDArray[np.int64], ids: NDArray[np.int64], is_leaf: NDArray[np.bool_]) -> list[tuple[int, bool]]:
    return list(zip(ids[nodes].tolist(), is_leaf[nodes].tolist(), strict=True))


def _with_a_split(leaf: Tree) -> Tree:
    """A tree of one leaf as one of two alike: the operator has no tree without a split."""
    return Tree(
        features=np.zeros(3, dtype=np.int64),
        thresholds=np.zeros(3),
        left=np.array([1, -1, -1]),
        right=np.array([2, -1, -1]),
        gap_left=np.ones(3, dtype=np.bool_),
        values=np.repeat(leaf.values[:1], 3),
        target=leaf.target,
    )
