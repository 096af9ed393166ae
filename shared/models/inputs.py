"""From feature rows to a model's numbers: the one definition for training and for scoring.

The input form, stable for every scikit-learn artefact: a float64 array of shape (rows, inputs), a
column per `Input` in its order, NaN where a value is missing. Text is the position of its category.
So a Pipeline picks columns by number, and OneHotEncoder(handle_unknown="ignore") or
categorical_features=[...] take the codes as they are. River learners get one dict per row instead:
numbers as floats with gaps filled, categories as text ("" where missing). Targets of classifiers are
positions in `ModelMetadata.classes`.
"""

from __future__ import annotations

import struct
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from operator import itemgetter
from types import NoneType

import numpy as np
from numpy.typing import NDArray

from shared.messages import Value
from shared.models.metadata import Input, class_text

MISSING = float("nan")


class MatrixOf:
    """Makes the (rows, inputs) array of feature rows, for the inputs of one model."""

    def __init__(self, inputs: Sequence[Input]) -> None:
        self._inputs = tuple(inputs)
        self._numbers = [index for index, item in enumerate(inputs) if item.categories is None]
        self._texts = [(index, item.name, _codes(item)) for index, item in enumerate(inputs) if item.categories]
        names = [inputs[index].name for index in self._numbers]
        self._values = itemgetter(*names) if names else None
        self._packed = struct.Struct(f"={len(names)}d").pack

    def __call__(self, rows: Sequence[Mapping[str, Value]]) -> NDArray[np.float64]:
        """ValueError names the feature that is no number."""
        try:
            return self._quickly(rows)
        except (KeyError, ValueError, TypeError, OverflowError):
            return self._by_columns(rows)

    def _quickly(self, rows: Sequence[Mapping[str, Value]]) -> NDArray[np.float64]:
        """Rows that hold every feature, all numbers at once."""
        table = self._table(rows)
        if len(self._numbers) == len(self._inputs):
            return table
        found = np.full((len(rows), len(self._inputs)), MISSING)
        found[:, self._numbers] = table
        for index, name, codes in self._texts:
            found[:, index] = [codes.get(row[name], MISSING) for row in rows]
        return found

    def _table(self, rows: Sequence[Mapping[str, Value]]) -> NDArray[np.float64]:
        """The columns of numbers. Rows without a gap are packed at half the cost of an array of tuples."""
        values, packed = self._values, self._packed
        if values is None:
            return np.empty((len(rows), 0))
        shape = (len(rows), len(self._numbers))
        try:
            if len(self._numbers) == 1:
                return np.array([values(row) for row in rows], dtype=np.float64).reshape(shape)
            return np.frombuffer(bytearray().join([packed(*values(row)) for row in rows])).reshape(shape)
        except struct.error:  # None is NaN, and what is no number is told of
            return np.array([values(row) for row in rows], dtype=np.float64).reshape(shape)

    def _by_columns(self, rows: Sequence[Mapping[str, Value]]) -> NDArray[np.float64]:
        """An absent feature is a gap, and an error names its feature."""
        found = np.empty((len(rows), len(self._inputs)))
        for index, item in enumerate(self._inputs):
            found[:, index] = numbers([row.get(item.name) for row in rows], item)
        return found


def matrix(rows: Sequence[Mapping[str, Value]], inputs: Sequence[Input]) -> NDArray[np.float64]:
    """Feature rows as the (rows, inputs) array; ValueError names the feature that is no number."""
    return MatrixOf(inputs)(rows)


def numbers(values: Sequence[Value], item: Input) -> NDArray[np.float64]:
    """One column of the matrix, from the feature's values.

    >>> numbers(["b", None, "new"], Input("x", categories=("a", "b"))).tolist()
    [1.0, nan, nan]
    """
    if item.categories is not None:
        codes = _codes(item)
        return np.array([codes.get(value, MISSING) for value in values])
    try:
        return np.array(values, dtype=np.float64)
    except (ValueError, TypeError, OverflowError) as error:
        raise ValueError(f"feature {item.name!r} is not a number: {error}") from error


def _codes(item: Input) -> dict[Value, float]:
    return {value: float(code) for code, value in enumerate(item.categories or ())}


def river_rows(rows: Iterable[Mapping[str, Value]], inputs: Sequence[Input]) -> list[dict[str, float | str]]:
    """Feature rows as river learners take them."""
    return [{item.name: _river_value(row.get(item.name), item) for item in inputs} for row in rows]


def _river_value(value: Value, item: Input) -> float | str:
    if item.categories is not None:
        return "" if value is None else class_text(value)
    try:
        return item.fill if value is None else float(value)
    except ValueError as error:
        raise ValueError(f"feature {item.name!r} is not a number: {error}") from error


def inputs_from(
    rows: Sequence[Mapping[str, Value]], names: Sequence[str], *, max_categories: int = 50
) -> tuple[Input, ...]:
    """The inputs as training rows show them.

    A feature with text in it has categories, the `max_categories` most frequent of them (ties by
    text); any other is a number, filled with its median.
    """
    return tuple(_input(name, [row.get(name) for row in rows], max_categories) for name in names)


def _input(name: str, values: list[Value], max_categories: int) -> Input:
    kinds = set(map(type, values))
    present = [value for value in values if value is not None] if NoneType in kinds else values
    if str in kinds:
        ranked = sorted(Counter(present).items(), key=lambda item: (-item[1], class_text(item[0])))
        return Input(name, categories=tuple(value for value, _ in ranked[:max_categories]))
    return Input(name, fill=float(np.median(np.array(present, dtype=np.float64))) if present else 0.0)
