"""A frame as far as a specification can describe it: what no field can hold is told apart."""

from __future__ import annotations

import polars as pl


def inferable(frame: pl.DataFrame) -> tuple[pl.DataFrame, dict[str, str]]:
    """The columns that fields can hold, as those types that fields have; the others by name, with their type.

    Durations and times of day are text; numbers that are not finite are missing; whole numbers of more than 64 bits
    are floats. Lists, objects and bytes can be no field.

    >>> frame, others = inferable(pl.DataFrame({"x": [1.5, float("nan")], "y": [[1], [2]]}))
    >>> frame["x"].to_list(), others
    ([1.5, None], {'y': 'List'})
    """
    others = {
        name: kind.base_type().__name__ for name, kind in frame.schema.items() if kind.is_nested() or kind == pl.Binary
    }
    return frame.drop(others).with_columns(_held(frame[name]) for name in frame.columns if name not in others), others


def _held(column: pl.Series) -> pl.Series:
    kind = column.dtype
    if kind == pl.Duration:
        return column.dt.to_string("iso")
    if kind.is_float():
        number = column.cast(pl.Float64)
        return number.set(~number.is_finite(), None)
    if kind.is_integer() and kind != pl.Int64:
        whole = column.cast(pl.Int64, strict=False)
        return whole if whole.null_count() == column.null_count() else column.cast(pl.Float64)
    return column.cast(pl.String) if kind == pl.Time else column
