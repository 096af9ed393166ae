"""Statistics over windows of rows, each computed from its own rows alone.

No running sums: a sum that grows and shrinks remembers every figure it has seen as rounding error,
so it would give other digits on the stream than over history, and a spike would spoil all that follows.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from typing import NamedTuple

import polars as pl

_CELLS = 1 << 17
"""Values gathered at once of one window, at most, where it is no longer: bounds what is held at once."""


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
    numbers = {each.source for each in windows if each.statistic != "count"}
    taken = [column.cast(pl.Float64) if place in numbers else column for place, column in enumerate(columns)]
    rows = pl.DataFrame(
        taken[source][places[length]].reshape((len(ends), length)).alias(_name(source, length))
        for source, length in shapes
    )
    whole = tuple(columns[each.source].null_count() == 0 for each in windows)
    bare, checked = _statistics(tuple(windows), whole)
    return rows.select(bare).select(checked)


def _places(length: int, ends: pl.Series) -> pl.Series:
    """The `length` places up to each end, one after the other: of the type by which values are found fastest."""
    cells = length * len(ends)
    rows, back = _grid(length, 1 << (len(ends) - 1).bit_length())
    return ends.cast(pl.get_index_type())[rows.head(cells)] - back.head(cells)


@lru_cache(maxsize=16)
def _grid(length: int, rows: int) -> tuple[pl.Series, pl.Series]:
    """Of so many rows of `length` cells, laid end to end: each cell's row, and how far it is before the row's end."""
    cells = pl.select(pl.int_range(rows * length, dtype=pl.get_index_type())).to_series()
    return cells // length, (length - 1) - cells % length


@lru_cache(maxsize=64)
def _statistics(windows: tuple[Window, ...], whole: tuple[bool, ...]) -> tuple[list[pl.Expr], list[pl.Expr]]:
    """Each window's statistic and how many values it is of, then what is left of it where it counts.

    `whole`: no value of its column is missing anywhere, so none need be counted. Made once: to make expressions
    anew takes as long as to compute them. In two parts: within one, what is checked would be computed twice.
    """
    bare: dict[str, pl.Expr] = {}
    checked = []
    for place, (window, known) in enumerate(zip(windows, whole, strict=True)):
        cells, name = pl.col(_name(window.source, window.length)), str(place)
        count = f"values in {_name(window.source, window.length)}"
        if not known or window.statistic == "count" or window.min_rows > window.length:
            bare[count] = cells.arr.len().cast(pl.Int64) if known else _known(cells, window.length)
        if window.statistic == "count":
            checked.append(pl.col(count).alias(name))
            continue
        bare[name] = _of(cells, window.statistic)
        finite = pl.col(name).is_finite()
        checked.append(pl.when(finite & (pl.col(count) >= window.min_rows) if count in bare else finite).then(name))
    return [each.alias(name) for name, each in bare.items()], checked


def _known(cells: pl.Expr, length: int) -> pl.Expr:
    return cells.explode().is_not_null().cast(pl.Int64).reshape((-1, length)).arr.sum()


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
