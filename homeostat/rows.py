"""Rows from files: CSV, Parquet and NDJSON, or standard input, as plain dictionaries.

A value that is out of place stays as it is in its own row: what is wrong with it is for the gateway
to say, and the other rows are not changed by it.
"""

from __future__ import annotations

import io
import json
import sys
from collections.abc import Callable, Iterable, Iterator
from io import BufferedReader
from itertools import chain
from pathlib import Path
from typing import Any

import polars as pl

from homeostat.column_types import UNKNOWN, ColumnTypes, with_text_ids
from homeostat.plain_values import plain
from homeostat.separated import Say, frame_in, lines_of, mended
from shared.errors import Misconfigured
from shared.pipeline.separators import text_in

Row = dict[str, Any]
_Read = Callable[[bytes, str, Say, ColumnTypes], list[Row]]

_STDIN = "standard input"
_PIECE_BYTES = 65_536


def _unheard(_: str) -> None:
    """For whoever does not want to know."""


def read_rows(path: str, say: Say = _unheard, types: ColumnTypes = UNKNOWN) -> list[Row]:
    """Every row of the file (``-``: standard input); `Misconfigured` says what is wrong with it, and where.

    The suffix says what a file is; under another suffix, or none, its content does. `say` is told what
    was read otherwise than its name says. `types` says how CSV is read, which has none; other files have their
    own, but for ids that are whole numbers.
    """
    if path == "-":
        return _rows(sys.stdin.buffer.read(), _STDIN, _guessed, say, types)
    return _rows(_content(path), path, _BY_SUFFIX.get(Path(path).suffix.lower(), _guessed), say, types)


def lines_in(path: str) -> list[int] | None:
    """The line of the file on which each row of `read_rows` begins; None where rows have none, or it is gone."""
    if path == "-":
        return None
    content = _content(path)
    begins = content.lstrip()[:1]
    if content.startswith(_PARQUET_MAGIC) or begins == b"[":
        return None
    if begins == b"{":
        return [number for number, line in enumerate(content.splitlines(), start=1) if line.strip()]
    return lines_of(text_in(content, path), path)


def parts_in(
    path: str, stdin: BufferedReader, say: Say = _unheard, types: ColumnTypes = UNKNOWN
) -> Iterator[list[Row]]:
    """All rows of the file as one part; where it is ``-``, those of `stdin` as they come.

    Only lines of JSON can be taken as they come: of all else `stdin` gives one part at its end.
    `Misconfigured`, `say` and `types` as with `read_rows`; the parts before have then been given.
    """
    if path != "-":
        yield read_rows(path, say, types)
        return
    pieces = iter(lambda: stdin.read1(_PIECE_BYTES), b"")
    begun = next((piece for piece in pieces if piece.strip()), b"")
    if begun.lstrip()[:1] == b"{":
        yield from (with_text_ids(rows, types.ids) for rows in _lines_in(chain([begun], pieces), _STDIN))
    else:
        yield _rows(begun + stdin.read(), _STDIN, _guessed, say, types)


def frame_of(path: str) -> pl.DataFrame:
    """The whole file as a frame."""
    if Path(path).suffix.lower() == ".parquet":
        return _parquet_frame(_existing(path).read_bytes(), path)
    return pl.DataFrame(read_rows(path))


def plain_frame(frame: pl.DataFrame, name: str, types: ColumnTypes) -> pl.DataFrame:
    """The frame with values that JSON can carry, and ids that are whole numbers as text.

    `Misconfigured` says which column of the pipeline has no such values; `name` is that of the file.
    """
    frame = plain(frame, name, types.names)
    whole = [each for each in types.ids if each in frame.columns and frame.schema[each].is_integer()]
    return frame.with_columns(pl.col(each).cast(pl.String) for each in whole)


def rows_of(frame: pl.DataFrame) -> list[Row]:
    """The frame's rows as JSON can carry them (`plain_values.plain`): times in UTC, as RFC 3339."""
    return plain(frame).to_dicts()


def _existing(path: str) -> Path:
    file = Path(path)
    if file.is_dir():
        raise Misconfigured(f"{path} is a folder: name the file in it")
    if not file.is_file():
        raise Misconfigured(f"{path}: no such file")
    return file


def _content(path: str) -> bytes:
    try:
        return _existing(path).read_bytes()
    except OSError as error:
        raise Misconfigured(f"{path} cannot be read: {error.strerror}") from error


def _rows(content: bytes, name: str, read: _Read, say: Say, types: ColumnTypes) -> list[Row]:
    if not content.strip():
        raise Misconfigured(f"{name} is empty")
    return read(content, name, say, types)


def _guessed(content: bytes, name: str, say: Say, types: ColumnTypes) -> list[Row]:
    """Rows of a content that no suffix names."""
    if content.startswith(_PARQUET_MAGIC):
        return _parquet(content, name, say, types)
    if content.lstrip()[:1] in (b"[", b"{"):
        return _json(content, name, say, types)
    try:
        rows = _csv(content, name, say, types)
    except Misconfigured as error:
        raise Misconfigured(f"{_NOT_ROWS.format(name=name)}: as CSV, {error}") from error
    if not rows or len(rows[0]) < 2:
        raise Misconfigured(f"{_NOT_ROWS.format(name=name)}: as CSV, it has a single column, or no row")
    return rows


def _parquet(content: bytes, name: str, _: Say, types: ColumnTypes) -> list[Row]:
    return plain_frame(_parquet_frame(content, name), name, types).to_dicts()


def _parquet_frame(content: bytes, name: str) -> pl.DataFrame:
    if not content.startswith(_PARQUET_MAGIC):
        raise Misconfigured(f"{name} is not what its name says: no Parquet begins like this")
    try:
        return pl.read_parquet(io.BytesIO(content))
    except pl.exceptions.PolarsError as error:
        raise Misconfigured(f"{name}: the Parquet is damaged: {str(error).splitlines()[0]}") from error


def _json(content: bytes, name: str, _: Say, types: ColumnTypes) -> list[Row]:
    """An array of objects, or NDJSON."""
    try:
        rows = list(json.loads(content)) if content.lstrip()[:1] == b"[" else _lines(content, name)
    except ValueError as error:
        raise Misconfigured(f"{name}: not JSON: {error}") from error
    return with_text_ids(rows, types.ids)


def _lines(content: bytes, name: str) -> list[Row]:
    rows = []
    for number, line in enumerate(content.splitlines(), start=1):
        try:
            rows += [json.loads(line)] if line.strip() else []
        except ValueError as error:
            told = f"{name}:{number}: the line is not JSON: {error}; no row of the file was taken"
            raise Misconfigured(told) from error
    return rows


def _lines_in(pieces: Iterable[bytes], name: str) -> Iterator[list[Row]]:
    """A part for each piece in which a line ends."""
    rest, number = b"", 0
    for piece in chain(pieces, [b"\n"]):
        *lines, rest = (rest + piece).split(b"\n")
        rows: list[Row] = []
        for line in lines:
            number += 1
            try:
                rows += [json.loads(line)] if line.strip() else []
            except ValueError as error:
                yield from filter(None, [rows])
                raise Misconfigured(f"{name}:{number}: the line is not JSON: {error}") from error
        if rows:
            yield rows


def _csv(content: bytes, name: str, say: Say, types: ColumnTypes) -> list[Row]:
    frame = frame_in(content, name, say, types)
    rows = rows_of(frame)
    for column in frame.get_columns():
        if (cells := mended(column, types)) is not None:
            for row, cell in zip(rows, cells, strict=True):
                row[column.name] = cell
    return rows


_PARQUET_MAGIC = b"PAR1"
_NOT_ROWS = "{name} is no file of rows: .csv, .parquet and .ndjson (.jsonl, .json) are taken, or such content"
_BY_SUFFIX: dict[str, _Read] = {
    ".csv": _csv,
    ".parquet": _parquet,
    ".ndjson": _json,
    ".jsonl": _json,
    ".json": _json,
}
