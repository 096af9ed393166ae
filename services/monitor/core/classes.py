"""Class labels as small numbers: one code per distinct label, whatever type it travels in."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from itertools import chain
from operator import itemgetter
from typing import Any

import msgspec
import numpy as np

from services.monitor.core.state import Floats
from shared.messages import Value

MOST_CLASSES = 256


def text_of(value: Value) -> str:
    """The label as text, equal for equal labels of different types.

    >>> text_of(True), text_of(1), text_of(1.0), text_of("true"), text_of("UP")
    ('1', '1', '1', '1', 'UP')
    """
    if isinstance(value, bool):
        return "1" if value else "0"
    if isinstance(value, float) and value.is_integer():
        return str(int(value))
    text = str(value)
    return {"true": "1", "false": "0", "1.0": "1", "0.0": "0"}.get(text.lower(), text)


class Classes(msgspec.Struct):
    """The labels seen so far, in order of appearance; `positive` is the code of the positive one."""

    names: list[str] = []
    declared: tuple[str, ...] = ()

    def code(self, value: Value) -> float:
        """The code, a new one for a new label; NaN for None, and past `MOST_CLASSES` labels."""
        if value is None:
            return float("nan")
        text = text_of(value)
        if text not in self.names:
            if len(self.names) >= MOST_CLASSES:
                return float("nan")
            self.names.append(text)
        return float(self.names.index(text))

    def codes(self, values: Sequence[Value]) -> Floats:
        """Codes of many values, one look-up per distinct value and type."""
        if len(set(map(type, values))) <= 1:
            codes = {value: self.code(value) for value in dict.fromkeys(values)}
            return np.array([codes[value] for value in values], float)
        known = {key: self.code(key[1]) for key in dict.fromkeys(zip(map(type, values), values, strict=True))}
        return np.array([known[key] for key in zip(map(type, values), values, strict=True)], float)

    def matrix(self, probabilities: Sequence[Mapping[str, float] | None]) -> Floats:
        """Rows of probabilities by code; NaN rows where there are none."""
        keys = next((tuple(p) for p in probabilities if p), ())
        columns = [int(self.code(key)) for key in keys]
        out = np.full((len(probabilities), max(len(self.names), 1)), np.nan)
        if keys:
            out[np.array([p is not None for p in probabilities])] = 0.0
            out[:, columns] = _rows_of(keys, probabilities)
        return out

    @property
    def positive(self) -> int:
        """The positive class of a binary target: the model's second class, else the last in text order."""
        if len(self.declared) == 2:
            return int(self.code(self.declared[1]))
        return self.names.index(max(self.names)) if self.names else 0


def _rows_of(keys: Sequence[str], probabilities: Sequence[Mapping[str, float] | None]) -> Floats:
    """The probabilities of these classes; a class that is not named has none, NaN where nothing is said."""
    take: Callable[[Any], Any] = itemgetter(*keys, keys[0])  # never a single one, which would come as no tuple
    try:
        cells = np.fromiter(
            chain.from_iterable(map(take, probabilities)), np.float64, len(probabilities) * (len(keys) + 1)
        )
        return cells.reshape(len(probabilities), -1)[:, :-1]
    except (KeyError, TypeError):
        rows = [[p.get(key, 0.0) for key in keys] if p else [np.nan] * len(keys) for p in probabilities]
        return np.array(rows, np.float64)
