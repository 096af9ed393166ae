"""Columns of a frame with values that JSON can carry, the same whether rows are sent or replayed.

What has no such value is left as it is where the pipeline does not take it, and refused by name where it does.
"""

from __future__ import annotations

from collections.abc import Collection

import polars as pl

from shared.errors import Misconfigured

RFC_3339 = "%Y-%m-%dT%H:%M:%S.%6fZ"
"""How times are written: in UTC, to the microsecond."""


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
    if kind == pl.Date:
        return column.cast(pl.Datetime("us")).dt.strftime(RFC_3339)
    if isinstance(kind, pl.Datetime):
        # a column without a zone cannot be converted, nor need it be
        utc = column if kind.time_zone is None else column.dt.convert_time_zone("UTC")
        return utc.dt.strftime(RFC_3339)
    if isinstance(kind, pl.Decimal):
        return _number(column)
    if kind == pl.Duration:
        return column.dt.to_string("iso")
    if kind == pl.Binary:
        return _without_bytes(column, name, taken)
    return column.cast(pl.String) if kind in (pl.Categorical, pl.Enum, pl.Time) else column


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
