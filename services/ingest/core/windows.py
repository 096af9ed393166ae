"""Statistics over windows of rows, each computed from its own rows alone.

No running sums: a sum that grows and shrinks remembers every figure it has seen as rounding error,
so it would give other digits on the stream than over history, and a spike would spoil all that follows.
"""

from __future__ import annotations

import polars as pl

_CELLS = 2_000_000
"""Values gathered at once, at most: bounds the memory of long windows over long batches."""


def windowed(values: pl.Series, ends: pl.Series, length: int, statistic: str, min_rows: int) -> pl.Series:
    """For each position in `ends`, the statistic of the `length` values that end there.

    `values` must reach back far enough; missing ones are null and do not count. Null where fewer
    than `min_rows` values are there or the result is not finite; a count is never null.

    >>> windowed(pl.Series([None, 1.0, 2.0, 4.0]), pl.Series([1, 2, 3]), 2, "mean", 2).to_list()
    [None, 1.5, 3.0]
    """
    step = max(1, _CELLS // length)
    parts = [
        _chunk(values, ends.slice(start, step), length, statistic, min_rows) for start in range(0, len(ends), step)
    ]
    return parts[0] if len(parts) == 1 else pl.concat(parts)


def _chunk(values: pl.Series, ends: pl.Series, length: int, statistic: str, min_rows: int) -> pl.Series:
    last = pl.lit(ends)
    cells = values[pl.select(pl.int_ranges(last - (length - 1), last + 1).explode()).to_series()]
    shape = (len(ends), length)
    count = pl.lit(cells).is_not_null().cast(pl.Int64).reshape(shape).arr.sum()
    if statistic == "count":
        return pl.select(count).to_series()
    found = _of(pl.lit(cells).cast(pl.Float64).reshape(shape), statistic)
    return pl.select(pl.when((count >= min_rows) & found.is_finite()).then(found)).to_series()


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
