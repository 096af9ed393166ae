"""Rows from files: CSV, Parquet and NDJSON, or standard input, as plain dictionaries.

A value that is out of place stays as it is in its own row: what is wrong with it is for the gateway
to say, and the other rows are not changed by it.
"""

from __future__ import annotations

import io
import json
import re
import sys
from pathlib import Path
from typing import Any

import polars as pl

from shared.errors import Misconfigured

Row = dict[str, Any]

_WHOLE = re.compile(r"[+-]?\d+")


def read_rows(path: str) -> list[Row]:
    """Every row of the file (``-``: standard input); `Misconfigured` says what is wrong with it, and where."""
    if path == "-":
        return _parsed(sys.stdin.buffer.read(), "standard input")
    file = _existing(path)
    try:
        if file.suffix == ".parquet":
            return rows_of(pl.read_parquet(file))
        if file.suffix == ".csv":
            return _csv(file.read_bytes())
        return _parsed(file.read_bytes(), path)
    except (pl.exceptions.PolarsError, OSError) as error:
        raise _mismatch(path, error) from error


def frame_of(path: str) -> pl.DataFrame:
    """The whole file as a frame."""
    file = _existing(path)
    try:
        return pl.read_parquet(file) if file.suffix == ".parquet" else pl.DataFrame(read_rows(path))
    except (pl.exceptions.PolarsError, OSError) as error:
        raise _mismatch(path, error) from error


def rows_of(frame: pl.DataFrame) -> list[Row]:
    """The frame's rows as JSON can carry them: times in RFC 3339."""
    for name, kind in frame.schema.items():
        if kind == pl.Date:
            frame = frame.with_columns(pl.col(name).cast(pl.Datetime("us")))
        if isinstance(frame.schema[name], pl.Datetime):
            frame = frame.with_columns(pl.col(name).dt.strftime("%Y-%m-%dT%H:%M:%S%.fZ"))
    return frame.to_dicts()


def _existing(path: str) -> Path:
    file = Path(path)
    if not file.is_file():
        raise Misconfigured(f"{path}: no such file")
    return file


def _mismatch(path: str, error: Exception) -> Misconfigured:
    suffix = Path(path).suffix or "no suffix"
    return Misconfigured(f"{path} is not what its name says ({suffix}): {error}")


def _parsed(content: bytes, name: str) -> list[Row]:
    text = content.lstrip()
    if not text:
        raise Misconfigured(f"{name} is empty")
    if text[:1] not in (b"[", b"{"):
        return _csv(content)
    try:
        return list(json.loads(text)) if text[:1] == b"[" else _lines(content, name)
    except ValueError as error:
        raise Misconfigured(f"{name}: not JSON: {error}") from error


def _lines(content: bytes, name: str) -> list[Row]:
    rows = []
    for number, line in enumerate(content.splitlines(), start=1):
        try:
            rows += [json.loads(line)] if line.strip() else []
        except ValueError as error:
            raise Misconfigured(f"{name}:{number}: the line is not JSON: {error}") from error
    return rows


def _csv(content: bytes) -> list[Row]:
    frame = pl.read_csv(io.BytesIO(content), infer_schema_length=None)
    rows = rows_of(frame)
    for name, kind in frame.schema.items():
        if kind == pl.String and _mostly_numbers(frame[name]):
            for row in rows:
                row[name] = _number(row[name])
    return rows


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
