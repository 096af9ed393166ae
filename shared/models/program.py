"""A compiled model as data: numbers in arrays, and an ONNX graph where there are trees. It names no code.

A row goes one way through it: `Expansion` makes the learner's columns, the learner makes figures,
`link` or `calibrations` make what the model answers. `shared.models.compiled_model` walks that way.
"""

from __future__ import annotations

from typing import Literal

import msgspec
import numpy as np
from numpy.typing import NDArray

from shared.models.metadata import Input

Floats = NDArray[np.float64]


class Tensor(msgspec.Struct, frozen=True):
    """Float64 numbers, little endian, row by row.

    >>> Tensor.of(np.eye(2)).array.tolist()
    [[1.0, 0.0], [0.0, 1.0]]
    """

    shape: tuple[int, ...]
    data: bytes

    @classmethod
    def of(cls, array: Floats) -> Tensor:
        return cls(tuple(array.shape), np.ascontiguousarray(array, dtype="<f8").tobytes())

    @property
    def array(self) -> Floats:
        """The numbers, not to be written to; ValueError where there are more or fewer than the shape says."""
        return np.frombuffer(self.data, dtype="<f8").reshape(self.shape)


class Lookup(msgspec.Struct, frozen=True):
    """Columns read from a table by a category's code: a row per code, and a last one for a missing value."""

    source: int
    table: Tensor


class Expansion(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """The learner's columns from a model's inputs, in this order.

    `values`: inputs as they are, a gap replaced by the number in `fills` (NaN leaves it). `missing`:
    1 where the input is missing. `equals`: 1 where the input is that number. `lookups`. Then `shift` is
    taken off and the rest divided by `scale`, if there are any. `single`: rounded to float32, as
    scikit-learn's trees do. A row that is left with an infinite number, or with a gap unless `gaps`, is
    refused, as scikit-learn does.
    """

    values: tuple[int, ...] = ()
    fills: tuple[float, ...] = ()
    missing: tuple[int, ...] = ()
    equals: tuple[tuple[int, float], ...] = ()
    lookups: tuple[Lookup, ...] = ()
    shift: Tensor | None = None
    scale: Tensor | None = None
    single: bool = False
    gaps: bool = False


class Linear(msgspec.Struct, frozen=True, tag="linear"):
    """``columns @ weights + intercept``; weights of shape (columns, figures)."""

    weights: Tensor
    intercept: Tensor


class Trees(msgspec.Struct, frozen=True, kw_only=True, tag="trees", omit_defaults=True):
    """The sum of the trees' values over `divisor`, plus `baseline`; computed in double precision.

    `onnx` is a graph with the one operator TreeEnsemble (ai.onnx.ml 5). With `leaves` it answers the
    number of the leaf that each tree ends in, whose values are that row of `leaves`.
    """

    onnx: bytes
    divisor: float = 1.0
    baseline: tuple[float, ...] = (0.0,)
    leaves: Tensor | None = None


class Mixture(msgspec.Struct, frozen=True, tag="mixture"):
    """Minus the log density of normal distributions.

    `offsets` (components, columns) and `factors` (components, columns, columns): the squared length of
    ``columns @ factor - offset`` is the Mahalanobis distance. `constants` (components): log weight and normalisation.
    """

    offsets: Tensor
    factors: Tensor
    constants: Tensor


class Ellipse(msgspec.Struct, frozen=True, tag="ellipse"):
    """The squared Mahalanobis distance from `centre`."""

    centre: Tensor
    precision: Tensor


Link = Literal["identity", "logistic", "complement", "softmax", "one-vs-rest", "isolation"]
"""From figures to answers. ``logistic``: P(second of two classes) from its log odds. ``complement``: the
same from the probability itself. ``one-vs-rest``: from each class's log odds against the rest, normalised.
``isolation``: 2 to the power of minus the figure."""


class Program(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """A compiled model. Each of `calibrations` holds Platt's slope and intercept per class, or for the
    second of two; the first takes the learner's figures in place of `link`, the next what that one gave.

    `inputs`, where the program codes categories otherwise than the metadata does: the same names in the
    same order. None among the categories is a missing value, which then has a code of its own.

    `class_columns` are the positions of the answered probabilities in `ModelMetadata.classes`, where
    these are not all classes in order.
    """

    expansion: Expansion
    learner: Linear | Trees | Mixture | Ellipse
    link: Link = "identity"
    calibrations: tuple[tuple[tuple[float, float], ...], ...] = ()
    class_columns: tuple[int, ...] | None = None
    inputs: tuple[Input, ...] | None = None
