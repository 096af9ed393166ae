"""Statistics over windows of rows, each computed from its own rows alone.

No running sums: a sum that grows and shrinks remembers every figure it has seen as rounding error,
so it would give other digits on the stream than over history, and a spike would spoil all that follows.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import polars as pl

_CELLS = 2_000_000
"""Values gathered at once of one window, at most: bounds the memory of long windows over long batches."""


class Window(NamedTuple):
    """What is asked of the `length` values up to a row: a `statistic` of column `source`, if `min_rows` are there."""

    source: int
    length: int
    statistic: str
    min_rows: int


def windowed(windows: Sequence[Window], columns: Sequence[pl.Series], ends: pl.Series) -> list[pl.Series]:
    """Each window's statistic for each position in `ends`, of the values that end there.

    Columns must reach back far enough; missing values are null and do not count. Null where fewer
    than `min_rows` values are there or the result is not finite; a count is never null.

    >>> (means,) = windowed([Window(0, 2, "mean", 2)], [pl.Series([None, 1.0, 2.0, 4.0])], pl.Series([1, 2, 3]))
    >>> means.to_list()
    [None, 1.5, 3.0]
    """
    if not windows:
        return []
    step = max(1, _CELLS // max(each.length for each in windows))
    parts = [_chunk(windows, columns, ends.slice(start, step)) for start in range(0, len(ends), step)]
    return pl.concat(parts).get_columns()


def _chunk(windows: Sequence[Window], columns: Sequence[pl.Series], ends: pl.Series) -> pl.DataFrame:
    """A column per window. What several ask of the same values is gathered once."""
    places = {length: _places(length, ends) for length in {each.length for each in windows}}
    shapes = dict.fromkeys((each.source, each.length) for each in windows)
    rows = pl.DataFrame(
        columns[source][places[length]].reshape((len(ends), length)).alias(_name(source, length))
        for source, length in shapes
    )
    whole = [column.null_count() == 0 for column in columns]
    return rows.select(_statistic(each, len(ends), whole[each.source]).alias(str(i)) for i, each in enumerate(windows))


def _places(length: int, ends: pl.Series) -> pl.Series:
    """The `length` places up to each end, one after the other: of the type by which values are found fastest."""
    last = pl.lit(ends)
    return pl.select(pl.int_ranges(last - (length - 1), last + 1).explode().cast(pl.get_index_type())).to_series()


def _statistic(window: Window, height: int, whole: bool) -> pl.Expr:
    """`whole`: no value is missing anywhere, so none need be counted."""
    cells, shape = pl.col(_name(window.source, window.length)), (height, window.length)
    known = cells.explode().is_not_null().cast(pl.Int64).reshape(shape).arr.sum()
    count = cells.arr.len().cast(pl.Int64) if whole else known
    if window.statistic == "count":
        return count
    found = _of(cells.cast(pl.Array(pl.Float64, window.length)), window.statistic)
    enough = (
        found.is_finite()
        if whole and window.min_rows <= window.length
        else found.is_finite() & (count >= window.min_rows)
    )
    return pl.when(enough).then(found)


def _name(source: int, length: int) -> str:
    return f"{source}:{length}"


def _of(rows: pl.Expr, statistic: str) -> pl.Expr:
    match statistic:
        case "mean":
            return rows.arr.mean()
        case "std":
            return rows.arr.std()
        case "min":
            return rows.arr.min()
        case "max":
            return rows.arr.max()
        case "sum":
            return rows.arr.sum()
        case "median":
            return rows.arr.median()
    raise ValueError(f"{statistic!r} is no statistic of a window")
