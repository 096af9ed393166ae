"""Text with separators: CSV, also with semicolons or tabs between its fields, also compressed with gzip.

A first line of names, then a line per row. Every fault is `Misconfigured` and says where it is.
"""

from __future__ import annotations

import csv
import io
import math
import re
from collections.abc import Callable
from typing import Any

import polars as pl

from homeostat.column_types import UNKNOWN, ColumnTypes
from shared.errors import Misconfigured
from shared.pipeline.decimal_commas import with_points
from shared.pipeline.missing import without_marks
from shared.pipeline.separators import SEPARATORS, separator_in, text_in
from shared.pipeline.written_times import written_times

Say = Callable[[str], None]
"""Told what was made of a file that is not quite what its name says."""

_WHOLE = re.compile(r"[+-]?\d+")
_TRUTHS = {"true": True, "false": False}


def frame_in(content: bytes, name: str, say: Say, types: ColumnTypes = UNKNOWN) -> pl.DataFrame:
    """The rows as a frame, blank lines left out. A column with a cell that is no finite number is text.

    So are all of `types.texts`, as they stand; other columns are what all their cells look like, but for marks of
    missing, which are empty cells where `types` expects no text, and times (`shared.pipeline.written_times`).
    """
    text = text_in(content, name)
    separator = separator_in(text, name)
    try:
        frame = _frame(text, separator, types.texts)
        if infinite := [column.name for column in frame.get_columns() if _is_infinite(column)]:
            frame = _frame(text, separator, types.texts.union(infinite))
        rows = ~frame.select(pl.all_horizontal(pl.all().is_null())).to_series()
        frame = without_marks(frame, types.markable)
        if separator != ",":
            written = without_marks(pl.read_csv(text.encode(), separator=separator, infer_schema=False), types.markable)
            frame = with_points(frame, written, separator, name, types.texts, types.numbers)
    except pl.exceptions.PolarsError as error:
        raise Misconfigured(f"{name}{_fault_of(text, separator)}") from error
    frame = _with_times(frame.filter(rows), types.times, name, say)
    if not frame.height:
        raise Misconfigured(f"{name} has no row: there is nothing below its first line, which names the columns")
    if separator != ",":
        say(f"{name} has {SEPARATORS[separator]} between its fields, and was read so")
    return frame


def _with_times(frame: pl.DataFrame, times: frozenset[str], name: str, say: Say) -> pl.DataFrame:
    """The frame with these columns as RFC 3339 has them; a cell that is no time of one meaning stays as it is."""
    for each in [each for each in frame.columns if each in times and frame.schema[each] == pl.String]:
        found = written_times(frame[each])
        frame = frame.with_columns(found.text.zip_with(found.utc.is_not_null(), frame[each]))
        for line in filter(None, [found.remark, found.doubt]):
            say(f"{name}: column `{each}`: {line}")
    return frame


def mended(column: pl.Series, types: ColumnTypes = UNKNOWN) -> list[Any] | None:
    """The cells of a column of text in which numbers or truths are the rule, as such; None for any other column.

    Truths are the rule in `types.truths`, numbers in `types.numbers`, and where nothing is known of a column if they
    are most of its cells.
    """
    if column.dtype != pl.String or column.name in types.texts:
        return None
    if column.name in types.truths:
        return [_TRUTHS.get(str(text).strip().lower(), text) for text in column]
    if column.name not in types.numbers and not _mostly_numbers(column):
        return None
    return _of_one_type([_number(text) for text in column])


def lines_of(text: str, name: str) -> list[int] | None:
    """The line on which each row begins, in the order in which `frame_in` has the rows; None where none can say."""
    fields, before, begins = csv.reader(io.StringIO(text), delimiter=separator_in(text, name)), 0, []
    most = csv.field_size_limit(max(len(text), 1))
    try:
        for row in fields:
            if any(row):
                begins.append(before + 1)
            before = fields.line_num
    except csv.Error:
        return None
    finally:
        csv.field_size_limit(most)  # it is one for the whole process
    return begins[1:]


def _frame(text: str, separator: str, texts: frozenset[str]) -> pl.DataFrame:
    overrides = dict.fromkeys(texts, pl.String)
    return pl.read_csv(text.encode(), separator=separator, infer_schema_length=None, schema_overrides=overrides)


def _is_infinite(column: pl.Series) -> bool:
    """Whether a column of numbers has a cell that JSON cannot carry."""
    return column.dtype.is_float() and not column.is_finite().all()


def _fault_of(text: str, separator: str) -> str:
    """Where a text stops being CSV, as far as that can be told."""
    lines, begun = csv.reader(io.StringIO(text), delimiter=separator, strict=True), 1
    try:
        names = next(lines)
        begun = lines.line_num + 1
        for fields in lines:
            if len(fields) > len(names):
                return f":{lines.line_num}: the line has {len(fields)} fields, the first line names {len(names)}"
            begun = lines.line_num + 1
    except csv.Error as error:
        return f":{begun}: a quote is not closed, or stands within a field ({error}); write one in a field twice"
    except StopIteration:
        pass
    return ": it cannot be read as CSV: a first line of names, then a line per row"


def _mostly_numbers(column: pl.Series) -> bool:
    """Whether text is the exception: a column of numbers in which some cells are none."""
    numbers = int(column.cast(pl.Float64, strict=False).count())
    return 2 * numbers > int(column.count())


def _number(text: str | None) -> str | int | float | None:
    """The number that the text is; what is none that JSON can carry stays text."""
    if text is None or "_" in text:
        return text
    try:
        number = int(text) if _WHOLE.fullmatch(text) else float(text)
    except ValueError:
        return text
    return number if isinstance(number, int) or math.isfinite(number) else text


def _of_one_type(cells: list[str | int | float | None]) -> list[Any]:
    """Whole numbers among others as those are, as in any column of numbers; unchanged where there is text."""
    if {type(cell) for cell in cells if cell is not None} != {int, float}:
        return cells
    try:
        return [cell if cell is None else float(cell) for cell in cells]
    except OverflowError:
        return cells
