"""What stands before a learner, taken apart: every column that it is given, and the input each is made from."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any, Literal

import numpy as np
from sklearn.compose import ColumnTransformer
from sklearn.feature_selection import SelectorMixin
from sklearn.impute import SimpleImputer
from sklearn.pipeline import Pipeline
from sklearn.preprocessing import FunctionTransformer, OneHotEncoder, StandardScaler

from services.trainer.core.compiling.errors import NotCompilableError
from shared.models.program import Expansion, Floats, Lookup, Tensor

NAN = math.nan


@dataclass(frozen=True, slots=True)
class Column:
    """One column: an input, whether it is missing, or whether it equals `operand`; then shifted and scaled.

    For a value, `operand` is what a gap is filled with, NaN where it stays.
    """

    source: int
    kind: Literal["value", "missing", "equals"] = "value"
    operand: float = NAN
    shift: float = 0.0
    scale: float = 1.0

    @property
    def untouched(self) -> bool:
        return self.kind == "value" and math.isnan(self.operand) and self.unscaled

    @property
    def unscaled(self) -> bool:
        return self.shift == 0.0 and self.scale == 1.0


Columns = list[Column]


def columns_after(step: Any, columns: Columns) -> Columns:
    """The columns that `step` makes of these; NotCompilableError where it does anything else."""
    found = columns
    match step:
        case Pipeline():
            for _, each in step.steps:
                found = columns_after(each, found)
        case ColumnTransformer():
            found = _side_by_side(step, columns)
        case SimpleImputer():
            found = _filled(step, columns)
        case StandardScaler():
            found = _scaled(step, columns)
        case OneHotEncoder():
            found = _one_hot(step, columns)
        case SelectorMixin():
            found = [columns[index] for index in step.get_support(indices=True)]
        case FunctionTransformer(func=None) | None | "passthrough":
            pass
        case _:
            raise NotCompilableError(f"{type(step).__name__} has no compiled form")
    return found


def expansion_of(
    columns: Sequence[Column], lookups: Sequence[Lookup] = (), *, single: bool = False, gaps: bool = False
) -> tuple[Expansion, list[int]]:
    """The columns as an `Expansion`, which sorts them by kind, and each one's position in it; lookups come last."""
    order = [i for kind in ("value", "missing", "equals") for i, each in enumerate(columns) if each.kind == kind]
    positions = np.argsort(order).tolist() if order else []
    arranged = [columns[i] for i in order]
    values = [each for each in arranged if each.kind == "value"]
    scaled = not all(each.unscaled for each in arranged)
    expansion = Expansion(
        values=tuple(each.source for each in values),
        fills=tuple(each.operand for each in values),
        missing=tuple(each.source for each in arranged if each.kind == "missing"),
        equals=tuple((each.source, each.operand) for each in arranged if each.kind == "equals"),
        lookups=tuple(lookups),
        shift=Tensor.of(shifts_of(arranged)) if scaled else None,
        scale=Tensor.of(scales_of(arranged)) if scaled else None,
        single=single,
        gaps=gaps,
    )
    return expansion, positions


def shifts_of(columns: Sequence[Column]) -> Floats:
    return np.array([each.shift for each in columns])


def scales_of(columns: Sequence[Column]) -> Floats:
    return np.array([each.scale for each in columns])


def _side_by_side(step: ColumnTransformer, columns: Columns) -> Columns:
    found: Columns = []
    for _, transformer, chosen in step.transformers_:
        if isinstance(transformer, str) and transformer == "drop":
            continue
        indices = np.arange(len(columns))[chosen]
        found += columns_after(transformer, [columns[index] for index in indices])
    return found


def _filled(step: SimpleImputer, columns: Columns) -> Columns:
    if not all(each.untouched or each.kind != "value" for each in columns):
        raise NotCompilableError("a gap that is filled after scaling has no compiled form")
    kept = [(each, float(fill)) for each, fill in zip(columns, step.statistics_, strict=True) if not math.isnan(fill)]
    found = [replace(each, operand=fill) if each.kind == "value" else each for each, fill in kept]
    if step.indicator_ is not None:
        found += [Column(columns[index].source, "missing") for index in step.indicator_.features_]
    return found


def _scaled(step: StandardScaler, columns: Columns) -> Columns:
    if not all(each.unscaled for each in columns):
        raise NotCompilableError("a column that is scaled twice has no compiled form")
    shifts = np.zeros(len(columns)) if step.mean_ is None else step.mean_
    scales = np.ones(len(columns)) if step.scale_ is None else step.scale_
    return [
        replace(each, shift=float(shift), scale=float(scale))
        for each, shift, scale in zip(columns, shifts, scales, strict=True)
    ]


def _one_hot(step: OneHotEncoder, columns: Columns) -> Columns:
    plain = step.drop_idx_ is None and step.handle_unknown == "ignore" and not step._infrequent_enabled
    if not (plain and all(each.untouched for each in columns)):
        raise NotCompilableError("one-hot columns that are dropped, merged or made of changed values have none")
    return [
        Column(each.source, "missing") if math.isnan(value) else Column(each.source, "equals", float(value))
        for each, known in zip(columns, step.categories_, strict=True)
        for value in known
    ]
