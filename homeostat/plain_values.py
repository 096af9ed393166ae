"""Columns of a frame with values that JSON can carry, the same whether rows are sent or replayed.

What has no such value is left as it is where the pipeline does not take it, and refused by name where it does.
"""

from __future__ import annotations

from collections.abc import Collection

import polars as pl

from shared.errors import Misconfigured
from shared.pipeline.written_times import RFC_3339

_DAYS = (-719_162, 2_932_897)
"""The days since 1970 with which the years from 1 to 9999 begin and end."""
_PER_DAY = {"days": 1, "ms": 86_400_000, "us": 86_400_000_000}
"""Nanoseconds of 64 bits are all in such years."""


def plain(frame: pl.DataFrame, name: str = "the frame", taken: Collection[str] = ()) -> pl.DataFrame:
    """Times in UTC as RFC 3339 (those without a zone are UTC already), decimals as numbers, categories as text.

    A time of day is text (``12:30:00``), as is a duration (ISO 8601: ``PT1M30S``). Bytes are empty cells, but
    `Misconfigured` in the columns `taken`: only who wrote them knows whether they are text.

    >>> plain(pl.DataFrame({"x": ["1.50"]}).cast(pl.Decimal(9, 2))).to_dicts()
    [{'x': 1.5}]
    """
    return frame.with_columns(_plain(column, name, taken) for column in frame.get_columns())


def _plain(column: pl.Series, name: str, taken: Collection[str]) -> pl.Series:
    kind = column.dtype
    if kind in (pl.Date, pl.Datetime):
        return _time(column)
    if isinstance(kind, pl.Decimal):
        return _number(column)
    if kind == pl.Float16:
        return column.cast(pl.Float64)  # polars 2.1 does not round those down
    if kind == pl.Duration:
        return column.dt.to_string("iso")
    if kind == pl.Binary:
        return _without_bytes(column, name, taken)
    return column.cast(pl.String) if kind in (pl.Categorical, pl.Enum, pl.Time) else column


def _time(column: pl.Series) -> pl.Series:
    """What is in no year from 1 to 9999 is text that says how much was counted since 1970, which is no time."""
    unit = column.dtype.time_unit if isinstance(column.dtype, pl.Datetime) else "days"
    count, day = column.to_physical().cast(pl.Int64), _PER_DAY.get(unit, 0)
    possible = ((count >= _DAYS[0] * day) & (count < _DAYS[1] * day) | (day == 0)).fill_null(value=True)
    none = pl.Series(column.name, [None], dtype=column.dtype).new_from_index(0, len(column))
    text = column.zip_with(possible, none).cast(pl.Datetime("us", "UTC")).dt.strftime(RFC_3339)
    return text.zip_with(possible, count.cast(pl.String) + f" {unit} since 1970")


def _number(column: pl.Series) -> pl.Series:
    """Whole numbers where the decimals have no places and fit 64 bits, as sums of databases do."""
    if isinstance(column.dtype, pl.Decimal) and column.dtype.scale == 0:
        whole = column.cast(pl.Int64, strict=False)
        if whole.null_count() == column.null_count():
            return whole
    return column.cast(pl.Float64)


def _without_bytes(column: pl.Series, name: str, taken: Collection[str]) -> pl.Series:
    if column.name in taken:
        raise Misconfigured(
            f"{name}: the column `{column.name}` holds bytes, which JSON cannot carry: write them as text (as of type "
            "string, or as base64), the same in every file"
        )
    return pl.Series(column.name, [None] * len(column), dtype=pl.String)
