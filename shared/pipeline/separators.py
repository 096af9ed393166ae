"""What stands between the fields of a CSV file: commas, or what people's spreadsheets write instead.

Where that is a semicolon, it is since the comma stands in numbers.
"""

from __future__ import annotations

import csv
from collections.abc import Collection

import polars as pl

_WITH_COMMA = r"^\s*([+-]?\d+),(\d+)\s*$"

SEPARATORS = {",": "commas", ";": "semicolons", "\t": "tabs"}


def separator_in(names: str) -> str:
    """What splits the first line into most names; the comma, unless another does better.

    >>> separator_in('id;"a;b";c,d'), separator_in("id,a;b"), separator_in("id")
    (';', ',', ',')
    """
    return max(SEPARATORS, key=lambda each: len(next(csv.reader([names], delimiter=each), [])))


def with_points(frame: pl.DataFrame, separator: str, texts: Collection[str] = ()) -> pl.DataFrame:
    """The frame with points in columns of numbers that have commas; unchanged unless `separator` is a semicolon.

    In such a column a cell that is no number stays as it is; so do the columns in `texts`.

    >>> with_points(pl.DataFrame({"x": ["1,5", "2"], "y": ["a,b", "1,5"]}), ";").to_dicts()
    [{'x': 1.5, 'y': 'a,b'}, {'x': 2.0, 'y': '1,5'}]
    """
    if separator != ";":
        return frame
    columns = [each for each in frame.get_columns() if each.dtype == pl.String and each.name not in texts]
    return frame.with_columns(_with_points(column) for column in columns if column.str.contains(_WITH_COMMA).any())


def _with_points(column: pl.Series) -> pl.Series:
    text = column.str.replace(_WITH_COMMA, "$1.$2")
    numbers = text.cast(pl.Float64, strict=False)
    if numbers.null_count() == column.null_count():
        return numbers
    return text if 2 * numbers.count() > column.count() else column
