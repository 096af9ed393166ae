"""Which slice of a field a row lies in: one per category, one per value of a small whole number, else quarters.

What a number's slices are is learned from its first 400 values and then stays, so that a slice means
the same for good. Categories past the first 50 share one slice, `other`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import msgspec
import numpy as np

from services.monitor.core.state import Floats, Ints, empty
from shared.messages import Value
from shared.pipeline.specification import Specification

PREFIX = "slice."
_LEARNED_FROM = 400
_MOST_CATEGORIES = 50
_MOST_VALUES = 12
_OTHER = "other"


class Slicing(msgspec.Struct):
    """One field. `names` are the categories by code; `edges` the lower edges of a number's slices but the first."""

    field: str
    number: bool
    names: list[str] = []
    edges: Floats = msgspec.field(default_factory=empty)
    sample: Floats = msgspec.field(default_factory=empty)
    single: bool = False
    learned: bool = False

    def cells(self, rows: Sequence[Mapping[str, Value]]) -> Floats:
        """The field's cells as numbers: themselves, or codes of categories. NaN where there is none."""
        values = [row.get(self.field) for row in rows]
        if not self.number:
            table = {value: self._code(value) for value in dict.fromkeys(values)}
            return np.array([table[value] for value in values], float)
        numbers = np.array([np.nan if value is None else float(value) for value in values], float)
        if not self.learned:
            self._learn(numbers[np.isfinite(numbers)])
        return numbers

    def places(self, cells: Floats) -> Ints:
        """The slice of each cell, counted from 0; -1 where it has none (yet)."""
        there = np.isfinite(cells) if self.learned or not self.number else np.zeros(len(cells), bool)
        found = np.full(len(cells), -1, np.int64)
        own = cells[there]
        found[there] = np.searchsorted(self.edges, own, side="right") if self.number else own.astype(np.int64)
        return found

    def title(self, place: int) -> str:
        """What people call the slice.

        >>> Slicing("age", True, edges=np.array([30.0, 45.0]), learned=True).title(1)
        '30 ≤ age < 45'
        """
        if not self.number:
            return f"{self.field} = {self.names[place]}"
        if self.single:
            return f"{self.field} = {self.sample[place]:g}"
        low = f"{self.edges[place - 1]:g} ≤ " if place > 0 else ""
        high = f" < {self.edges[place]:g}" if place < len(self.edges) else ""
        return f"{low}{self.field}{high}"

    def _code(self, value: Value) -> float:
        if value is None:
            return float("nan")
        text = str(value)
        if text not in self.names:
            text = text if len(self.names) < _MOST_CATEGORIES else _OTHER
            if text not in self.names:
                self.names.append(text)
        return float(self.names.index(text))

    def _learn(self, numbers: Floats) -> None:
        self.sample = np.concatenate([self.sample, numbers])
        if len(self.sample) < _LEARNED_FROM:
            return
        values = np.unique(self.sample)
        self.single = len(values) <= _MOST_VALUES
        self.edges = values[1:] if self.single else np.unique(np.quantile(self.sample, [0.25, 0.5, 0.75]))
        self.sample, self.learned = values if self.single else empty(), True


def slicings_of(specification: Specification) -> list[Slicing]:
    """The fields that the specification names as `monitor.slices`."""
    numbers = ("number", "integer")
    return [Slicing(name, specification.fields[name].type in numbers) for name in specification.monitor.slices]
