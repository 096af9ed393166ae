"""Rows from files: CSV, Parquet and NDJSON, or standard input, as plain dictionaries."""

from __future__ import annotations

import io
import json
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import polars as pl

from shared.errors import Misconfigured

Row = dict[str, Any]


def frame_of(path: str) -> pl.DataFrame:
    """The whole file (``-``: standard input) as a frame; `Misconfigured` says what is wrong with it."""
    if path == "-":
        return _from_text(sys.stdin.buffer.read(), "standard input")
    file = Path(path)
    if not file.is_file():
        raise Misconfigured(f"{path}: no such file")
    try:
        if file.suffix == ".parquet":
            return pl.read_parquet(file)
        if file.suffix == ".csv":
            return pl.read_csv(file, try_parse_dates=False, infer_schema_length=10_000)
        return _from_text(file.read_bytes(), path)
    except (pl.exceptions.PolarsError, OSError) as error:
        raise Misconfigured(f"{path} is not what its name says ({file.suffix or 'no suffix'}): {error}") from error


def _from_text(content: bytes, name: str) -> pl.DataFrame:
    text = content.lstrip()
    if not text:
        raise Misconfigured(f"{name} is empty")
    if text[:1] == b"[":
        return pl.DataFrame(json.loads(text), infer_schema_length=None)
    if text[:1] == b"{":
        try:
            return pl.read_ndjson(io.BytesIO(text))
        except pl.exceptions.PolarsError as error:
            raise Misconfigured(f"{name}: not NDJSON: {error}") from error
    return pl.read_csv(io.BytesIO(content), infer_schema_length=10_000)


def rows_of(frame: pl.DataFrame) -> list[Row]:
    """The frame's rows as JSON can carry them: times in RFC 3339."""
    for name, kind in frame.schema.items():
        if kind == pl.Date:
            frame = frame.with_columns(pl.col(name).cast(pl.Datetime("us")))
        if isinstance(frame.schema[name], pl.Datetime):
            frame = frame.with_columns(pl.col(name).dt.strftime("%Y-%m-%dT%H:%M:%S%.fZ"))
    return frame.to_dicts()


def chunks(rows: list[Row], size: int) -> Iterator[list[Row]]:
    """`rows` in runs of at most `size`."""
    for start in range(0, len(rows), size):
        yield rows[start : start + size]
