"""A data file as a frame whose types are those under which its rows can be sent."""

from __future__ import annotations

import json
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path

import polars as pl

from shared.errors import Misconfigured
from shared.pipeline.decimal_commas import with_points
from shared.pipeline.missing import marks_said, without_marks
from shared.pipeline.separators import separator_in, text_in
from shared.pipeline.written_times import all_iso, written_times

SUFFIXES = (".yaml", ".yml")
"""Those of specifications."""
_LEADING_ZERO = r"^\s*[+-]?0\d"
_TYPED = {".parquet": "Parquet", ".ndjson": "NDJSON", ".jsonl": "NDJSON", ".json": "NDJSON"}
"""Files that say themselves of what type a value is; all others are CSV."""


@dataclass(frozen=True, slots=True)
class Table:
    """`notes`: by column, how its cells were read, or why as text. `dated`: columns of text that are dates."""

    frame: pl.DataFrame
    notes: dict[str, str] = field(default_factory=dict)
    dated: frozenset[str] = frozenset()


def table_in(file: Path) -> Table:
    """The whole file. `Misconfigured` says why there is no row in it."""
    if not file.is_file():
        raise Misconfigured(f"{file}: no such file")
    if file.suffix in SUFFIXES:
        raise Misconfigured(
            f"{file} is a specification by its name, and rows are expected: CSV, Parquet or NDJSON. "
            f"To check it: homeostat pipeline check {file}"
        )
    try:
        table = _read(file)
    except (pl.exceptions.PolarsError, OSError) as error:
        what = _TYPED.get(file.suffix, "CSV")
        raise Misconfigured(f"{file} cannot be read as {what}: {str(error).splitlines()[0]}") from error
    if table.frame.is_empty():
        raise Misconfigured(f"{file} has no rows: nothing can be inferred from it")
    return table


def _read(file: Path) -> Table:
    if file.suffix == ".parquet":
        return Table(pl.read_parquet(file))
    if _TYPED.get(file.suffix) == "NDJSON":
        return _lines_of_json(file)
    return _csv(file)


def _lines_of_json(file: Path) -> Table:
    """JSON has no times: they are text there, and are sent as they stand, as is a number among texts."""
    frame = pl.read_ndjson(file, infer_schema_length=None)
    texts = [name for name in frame.columns if frame.schema[name] == pl.String]
    others = Counter(
        name
        for row in (map(json.loads, filter(bytes.strip, file.read_bytes().splitlines())) if texts else ())
        for name in texts
        if not isinstance(row.get(name), str | None)
    )
    mixed = {name: f"{count} of the cells are no text: such rows are refused" for name, count in others.items()}
    iso = [each for each in frame.get_columns() if each.dtype == pl.String and all_iso(each)]
    times = {each.name: written_times(each) for each in iso}
    frame = frame.with_columns(found.utc for found in times.values())
    return Table(frame, {name: found.remark for name, found in times.items()} | mixed)


def _csv(file: Path) -> Table:
    """Blank lines left out. Columns of numbers with a leading zero in any cell are codes: text."""
    text = text_in(file.read_bytes(), str(file))
    content, separator = text.encode(), separator_in(text, str(file))
    written = pl.read_csv(content, separator=separator, infer_schema=False)
    guessed = pl.read_csv(content, separator=separator, infer_schema_length=None)
    rows = ~written.select(pl.all_horizontal(pl.all().is_null())).to_series()
    written, guessed = written.filter(rows), guessed.filter(rows)
    names = written.columns
    frame = with_points(without_marks(guessed, names), without_marks(written, names), separator, str(file))
    found = [_column(frame[name], written[name]) for name in names]
    notes = {column.name: note for column, note, _ in found if note}
    dated = frozenset(column.name for column, _, is_dated in found if is_dated)
    return Table(pl.DataFrame([column for column, _, _ in found]), notes, dated)


def _column(bare: pl.Series, written: pl.Series) -> tuple[pl.Series, str, bool]:
    """(the column, what is to be said of it, whether it is text that has dates); `bare`: without marks of missing."""
    marks = marks_said(written)
    missing, stands = (
        f"{marks}: {what}" if marks else ""
        for what in ("read as missing", "text as any other (empty them if they mean none)")
    )
    column = _numbers_or_truths(bare)
    if column.dtype.is_numeric() and written.str.contains(_LEADING_ZERO).any():
        return written, stands, False
    if column.dtype != pl.String:
        return column, "; ".join(filter(None, [missing, _infinite_said(column)])), False
    times = written_times(column)
    if column.count() and times.utc.null_count() == column.null_count():
        return times.utc, "; ".join(filter(None, [times.remark, missing])), False
    dated = 2 * times.dates > column.count()
    return written, times.doubt if dated and times.doubt else stands, dated


def _infinite_said(column: pl.Series) -> str:
    """JSON has no such numbers."""
    count = int(column.is_infinite().sum()) if column.dtype.is_float() else 0
    return f"{count} {'is' if count == 1 else 'are'} no finite number: such rows are refused" if count else ""


def _numbers_or_truths(column: pl.Series) -> pl.Series:
    """What all cells of a column of text are; text where they are neither."""
    if column.dtype != pl.String or not column.count():
        return column
    text = column.str.strip_chars()
    if text.str.to_lowercase().is_in(["true", "false"]).all():
        return text.str.to_lowercase() == "true"
    whole, number = text.cast(pl.Int64, strict=False), text.cast(pl.Float64, strict=False)
    if whole.null_count() == column.null_count():
        return whole
    return number if number.null_count() == column.null_count() else column
