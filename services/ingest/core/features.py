"""From checked rows to features: one definition, the same function on the stream and over history.

`FeaturePlan.compute` takes rows in stream order and what is remembered of their keys. Over the whole
history in one call, or over the stream in batches of any size, each row gets the same values, to
the last digit.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import repeat
from typing import Any

import polars as pl

from services.ingest.core.tails import Block, Tails
from services.ingest.core.windows import Window, windowed
from shared.messages import Value
from shared.pipeline.expressions import expression_of
from shared.pipeline.specification import FeatureSpec, Specification
from shared.pipeline.types import DTYPES, TIME_FORMAT, expression_dtype, feature_dtype, polars_of

Rows = Sequence[Mapping[str, Value]]


@dataclass(frozen=True, slots=True)
class _Computed:
    """A column to compute: what cannot be computed for a row is null there."""

    name: str
    expression: pl.Expr
    dtype: Any


@dataclass(frozen=True, slots=True)
class _OverRows:
    """A window or lag over the remembered column `source`."""

    name: str
    spec: FeatureSpec
    source: int


class FeaturePlan:
    """The features of one specification, compiled. It holds no rows: those are in `Tails`."""

    def __init__(self, specification: Specification) -> None:
        self.names = specification.feature_names
        self._remembered: dict[str, _Computed] = {}
        self._over_rows: list[_OverRows] = []
        self._levels: list[list[_Computed]] = []
        self._compile(specification)
        self.depth = max((_reach(each.spec) for each in self._over_rows), default=0)

    @property
    def shape(self) -> tuple[object, ...]:
        """What tails must have been made for to be of use to this plan."""
        return (*((text, str(each.dtype)) for text, each in self._remembered.items()), self.depth)

    @property
    def values_per_key(self) -> int:
        """How many values are remembered of one key."""
        return self.depth * len(self._remembered)

    def tails(self, most_keys: int) -> Tails:
        """Empty ones."""
        return Tails(len(self._remembered), self.depth, most_keys)

    def compute(self, rows: Rows, keys: Sequence[str], tails: Tails) -> list[dict[str, Value]]:
        """The features of each row, in order. `tails` moves on by these rows."""
        frame = pl.DataFrame([_column(name, [row[name] for row in rows], kind) for name, kind in self._fields.items()])
        columns = self._computed(frame, len(rows), keys, tails).iter_columns()
        cells = zip(*(column.to_list() for column in columns), strict=True)
        return list(map(dict, map(zip, repeat(self.names), cells)))

    def compute_columns(self, rows: pl.DataFrame, keys: Sequence[str], tails: Tails) -> pl.DataFrame:
        """As `compute`, for checked rows that are columns already, times as text; a column per feature."""
        frame = pl.DataFrame([_column(name, rows[name], kind) for name, kind in self._fields.items()])
        return self._computed(frame, rows.height, keys, tails)

    def _computed(self, frame: pl.DataFrame, height: int, keys: Sequence[str], tails: Tails) -> pl.DataFrame:
        if not self._fields:
            frame = pl.DataFrame({"": [None] * height})
        if self._remembered:
            frame = frame.hstack(self._from_past(frame, keys, tails))
        for level in self._levels:
            frame = _with(frame, level)
        return pl.DataFrame([frame.get_column(_inner(name)).alias(name) for name in self.names])

    def _from_past(self, frame: pl.DataFrame, keys: Sequence[str], tails: Tails) -> list[pl.Series]:
        remembered = list(self._remembered.values())
        now = _with(frame, remembered)
        columns = [now[each.name].to_list() for each in remembered]
        touched = tails.divided(keys)
        ends = _ends(touched, self.depth, len(keys))
        advanced = zip(tails.advance(touched, columns), remembered, strict=True)
        laid = [pl.Series(cells, dtype=each.dtype) for cells, each in advanced]
        return self._over_laid_out(laid, ends)

    def _over_laid_out(self, laid: Sequence[pl.Series], ends: pl.Series) -> list[pl.Series]:
        """The windows and lags up to each of `ends` in these columns."""
        windows = {each.name: _window_of(each) for each in self._over_rows if each.spec.lag is None}
        found = dict(zip(windows, windowed(list(windows.values()), laid, ends), strict=True))
        for each in self._over_rows:
            if each.spec.lag is not None:
                found[each.name] = laid[each.source][ends - each.spec.lag]
        return [found[each.name].alias(_inner(each.name)) for each in self._over_rows]

    def _compile(self, specification: Specification) -> None:
        schema: dict[str, Any] = {name: DTYPES[field.type] for name, field in specification.fields.items()}
        renamed: dict[str, str] = {}
        level_of: dict[str, int] = {}
        used: set[str] = set()
        for name, spec in specification.feature_specs.items():
            expression = expression_of(spec.expression, renamed)
            used.update(expression.names)
            dtype = expression_dtype(expression, schema)
            finished = _clean(polars_of(expression), dtype)
            if spec.window is not None or spec.lag is not None:
                self._remembered.setdefault(expression.sql, _Computed(f"past:{expression.sql}", finished, dtype))
                self._over_rows.append(_OverRows(name, spec, list(self._remembered).index(expression.sql)))
                level_of[_inner(name)] = 0
            else:
                level = max((level_of.get(each, 0) for each in expression.names), default=0) + 1
                level_of[_inner(name)] = level
                self._levels += [[] for _ in range(level - len(self._levels))]
                self._levels[level - 1].append(_Computed(_inner(name), finished, dtype))
            schema[_inner(name)] = feature_dtype(spec, dtype)
            if name not in specification.fields:
                renamed[name] = _inner(name)
        self._fields = {name: field.type for name, field in specification.fields.items() if name in used}


def _inner(name: str) -> str:
    """A feature's column while computing: it may have a field's name."""
    return f"feature:{name}"


def _reach(spec: FeatureSpec) -> int:
    return spec.lag if spec.lag is not None else (spec.window or 1) - 1


def _column(name: str, cells: Sequence[Value] | pl.Series, kind: str) -> pl.Series:
    if kind == "timestamp":
        text = pl.Series(name, cells, dtype=pl.String)
        return text.str.to_datetime(TIME_FORMAT, time_unit="us", time_zone="UTC")
    return pl.Series(name, cells, dtype=DTYPES[kind])


def _with(frame: pl.DataFrame, columns: Sequence[_Computed]) -> pl.DataFrame:
    try:
        return frame.with_columns(each.expression.alias(each.name) for each in columns)
    except pl.exceptions.PolarsError:
        return pl.concat(_row_with(frame.slice(row, 1), columns) for row in range(len(frame)))


def _row_with(row: pl.DataFrame, columns: Sequence[_Computed]) -> pl.DataFrame:
    for each in columns:
        try:
            row = row.with_columns(each.expression.alias(each.name))
        except pl.exceptions.PolarsError:
            row = row.with_columns(pl.lit(None, dtype=each.dtype).alias(each.name))
    return row


def _clean(expression: pl.Expr, dtype: Any) -> pl.Expr:
    """In its normal type; what is not finite becomes null, as JSON and models know no infinity."""
    normal = expression.cast(dtype)
    return pl.when(normal.is_finite()).then(normal) if dtype == pl.Float64 else normal


def _ends(touched: Sequence[Block], depth: int, rows: int) -> pl.Series:
    """Where each row of the batch, in its order, stands in the laid-out columns."""
    ends, start = [0] * rows, 0
    for block in touched:
        start += depth
        for place, row in enumerate(block.rows, start):
            ends[row] = place
        start += len(block.rows)
    return pl.Series(ends, dtype=pl.Int64)


def _window_of(feature: _OverRows) -> Window:
    spec = feature.spec
    return Window(feature.source, spec.window or 1, spec.statistic, spec.min_rows)
