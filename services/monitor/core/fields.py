"""The fields that are watched, and rows of them as a matrix: categories become codes, missing NaN."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from itertools import chain
from operator import itemgetter
from typing import Any
from zlib import crc32

import msgspec
import numpy as np

from services.monitor.core.state import Bools, Floats
from shared.messages import Value
from shared.pipeline.specification import Specification

MOST_CATEGORIES = 500
"""Values of a field that have a code of their own; further ones are coded by their CRC-32, below zero."""


class Fields(msgspec.Struct):
    """Columns of the matrix: `names`, first the numeric ones, then the categorical ones."""

    names: tuple[str, ...]
    numeric: int
    categories: dict[str, dict[str, int]] = {}

    @classmethod
    def of(cls, specification: Specification) -> Fields:
        """The fields that carry information: no id, key, target, timestamp or personal data."""
        apart = {specification.id, specification.key, specification.target, specification.timestamp}
        kinds = {
            name: field.type
            for name, field in specification.fields.items()
            if name not in apart and not field.pii and field.type != "timestamp"
        }
        numbers = [name for name, kind in kinds.items() if kind in ("number", "integer")]
        others = [name for name, kind in kinds.items() if kind in ("string", "boolean")]
        return cls(tuple(numbers + others), len(numbers), {name: {} for name in others})

    @property
    def categorical(self) -> Bools:
        """Which columns hold codes of categories."""
        return np.arange(len(self.names)) >= self.numeric

    def matrix(self, rows: Sequence[Mapping[str, Value]]) -> Floats:
        """One line per row, one column per name. Different texts have different codes
        (but for one pair in four milliards), also past `MOST_CATEGORIES`.
        """
        if not self.names:
            return np.empty((len(rows), 0))
        numbers, others = self.names[: self.numeric], self.names[self.numeric :]
        codes = [self.codes(name, [row.get(name) for row in rows]) for name in others]
        return np.column_stack([_numbers(numbers, rows), *codes]) if codes else _numbers(numbers, rows)

    def withheld(self, rows: Sequence[Sequence[str]]) -> Bools | None:
        """Which cells belong to fields named as withheld, row by row; None where none do."""
        if not any(rows):
            return None
        return np.array([[name in names for name in self.names] for names in rows], bool).reshape(len(rows), -1)

    def codes(self, name: str, values: Sequence[Value]) -> Floats:
        """The cells of a categorical field as codes (NaN: missing); new categories get theirs in order."""
        known = self.categories[name]
        table: dict[Value, float] = {None: np.nan}
        for value in dict.fromkeys(values):
            if value is None:
                continue
            text = str(value)
            if text not in known and len(known) < MOST_CATEGORIES:
                known[text] = len(known)
            code = known.get(text)
            table[value] = float(-1 - crc32(text.encode(errors="surrogatepass")) if code is None else code)
        return np.array([table[value] for value in values], float)


def _numbers(names: Sequence[str], rows: Sequence[Mapping[str, Value]]) -> Floats:
    if not names:
        return np.empty((len(rows), 0))
    take: Callable[[Any], Any] = itemgetter(*names, names[0])  # never a single one, which would come as no tuple
    try:
        return np.fromiter(chain.from_iterable(map(take, rows)), np.float64, len(rows) * (len(names) + 1)).reshape(
            len(rows), -1
        )[:, :-1]
    except (KeyError, ValueError, TypeError, OverflowError):
        return _odd_numbers(names, rows)


def _odd_numbers(names: Sequence[str], rows: Sequence[Mapping[str, Value]]) -> Floats:
    """Of rows in which something is missing, or is no number."""
    try:
        take = itemgetter(*names)
        cells = [take(row) for row in rows]
    except KeyError:
        cells = [tuple(row.get(name) for name in names) for row in rows]
    try:
        return np.array(cells, float).reshape(len(rows), len(names))
    except (ValueError, TypeError, OverflowError):
        return np.array([[_number(row.get(name)) for name in names] for row in rows])


def _number(value: Value) -> float:
    try:
        return np.nan if value is None else float(value)
    except (ValueError, OverflowError):
        return np.nan
