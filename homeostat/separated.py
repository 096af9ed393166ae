"""Text with separators: CSV, also with semicolons or tabs between its fields, also compressed with gzip.

A first line of names, then a line per row. Every fault is `Misconfigured` and says where it is.
"""

from __future__ import annotations

import csv
import gzip
import io
import re
import zlib
from collections.abc import Callable

import polars as pl

from shared.errors import Misconfigured
from shared.pipeline.separators import SEPARATORS, separator_in, with_points

Say = Callable[[str], None]
"""Told what was made of a file that is not quite what its name says."""

_GZIP = b"\x1f\x8b"
_WHOLE = re.compile(r"[+-]?\d+")


def frame_in(content: bytes, name: str, say: Say) -> pl.DataFrame:
    """The rows as a frame, blank lines left out. A column that is mostly numbers may hold text too: it stays text."""
    text = text_in(content, name)
    separator = separator_in(_first_line(text))
    try:
        frame = pl.read_csv(io.BytesIO(content), separator=separator, infer_schema_length=None)
    except pl.exceptions.PolarsError as error:
        raise Misconfigured(f"{name}{_fault_of(text, separator)}") from error
    frame = with_points(frame, separator).filter(~pl.all_horizontal(pl.all().is_null()))
    if not frame.height:
        raise Misconfigured(f"{name} has no row: there is nothing below its first line, which names the columns")
    if separator != ",":
        say(f"{name} has {SEPARATORS[separator]} between its fields, and was read so")
    return frame


def mended(column: pl.Series) -> list[object] | None:
    """The cells of a column of text in which numbers are the rule, the numbers as such; None for any other column."""
    if column.dtype != pl.String or not _mostly_numbers(column):
        return None
    return [_number(text) for text in column]


def text_in(content: bytes, name: str) -> str:
    """The content as text; `Misconfigured` where it is none."""
    try:
        text = (gzip.decompress(content) if content.startswith(_GZIP) else content).decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise Misconfigured(f"{name} is not what its name says: it is no text in UTF-8 (byte {error.start})") from error
    except (OSError, EOFError, zlib.error) as error:
        raise Misconfigured(f"{name}: what was compressed with gzip is damaged: {error}") from error
    if (at := text.find("\0")) >= 0:
        raise Misconfigured(f"{name} is not what its name says: no text has zero bytes (character {at})")
    return text


def lines_of(text: str) -> list[int]:
    """The line on which each row begins, in the order in which `frame_in` has the rows."""
    fields, before, begins = csv.reader(io.StringIO(text), delimiter=separator_in(_first_line(text))), 0, []
    for row in fields:
        if any(row):
            begins.append(before + 1)
        before = fields.line_num
    return begins[1:]


def _first_line(text: str) -> str:
    return text.lstrip("\r\n").partition("\n")[0]


def _fault_of(text: str, separator: str) -> str:
    """Where a text stops being CSV, as far as that can be told."""
    try:
        lines = csv.reader(io.StringIO(text), delimiter=separator, strict=True)
        names = next(lines)
        for fields in lines:
            if len(fields) > len(names):
                return f":{lines.line_num}: the line has {len(fields)} fields, the first line names {len(names)}"
    except (csv.Error, StopIteration):
        pass
    return ": it cannot be read as CSV: a first line of names, then a line per row"


def _mostly_numbers(column: pl.Series) -> bool:
    """Whether text is the exception: a column of numbers in which some cells are none."""
    numbers = int(column.cast(pl.Float64, strict=False).count())
    return 2 * numbers > int(column.count())


def _number(text: str | None) -> object:
    if text is None or _WHOLE.fullmatch(text):
        return None if text is None else int(text)
    try:
        return float(text)
    except ValueError:
        return text
