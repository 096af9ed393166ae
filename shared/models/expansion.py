"""The columns that a compiled model's learner takes, from the model's matrix of inputs."""

from __future__ import annotations

import numpy as np

from shared.models.program import Expansion, Floats


class Expand:
    """Applies an `Expansion`: a table of shape (rows, inputs) to one of shape (rows, columns).

    ValueError on a row that is left with an infinite number, or a gap where the learner takes none.
    """

    def __init__(self, plan: Expansion, inputs: int) -> None:
        as_they_are = plan.values == tuple(range(inputs))
        self._values = slice(None) if as_they_are else np.array(plan.values, dtype=np.intp)
        self._fills = np.array(plan.fills)
        self._fill = not bool(np.isnan(self._fills).all())
        self._missing = np.array(plan.missing, dtype=np.intp)
        self._equals = np.array([source for source, _ in plan.equals], dtype=np.intp)
        self._wanted = np.array([value for _, value in plan.equals])
        self._lookups = [(each.source, each.table.array) for each in plan.lookups]
        self._shift = None if plan.shift is None else plan.shift.array
        self._scale = None if plan.scale is None else plan.scale.array
        self._single = plan.single
        self._gaps = plan.gaps

    def __call__(self, table: Floats) -> Floats:
        found = self._columns(table)
        if self._shift is not None:
            found = found - self._shift
        if self._scale is not None:
            found = found / self._scale
        if self._single:
            with np.errstate(over="ignore"):
                found = found.astype(np.float32).astype(np.float64)
        self._check(found)
        return found

    def _columns(self, table: Floats) -> Floats:
        values = table[:, self._values]
        if self._fill:
            values = np.where(np.isnan(values), self._fills, values)
        parts = [values]
        if len(self._missing):
            parts.append(np.isnan(table[:, self._missing]).astype(np.float64))
        if len(self._equals):
            parts.append((table[:, self._equals] == self._wanted).astype(np.float64))
        for source, rows in self._lookups:
            column = table[:, source]
            parts.append(rows[np.where(np.isnan(column), len(rows) - 1, column).astype(np.intp)])
        return parts[0] if len(parts) == 1 else np.concatenate(parts, axis=1)

    def _check(self, columns: Floats) -> None:
        fine = not np.isinf(columns).any() if self._gaps else np.isfinite(columns).all()
        if not fine:
            raise ValueError("a feature is infinite or too large" + ("" if self._gaps else ", or missing"))
