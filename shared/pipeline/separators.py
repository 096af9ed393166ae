"""What stands between the fields of a CSV file: commas, or what people's spreadsheets write instead."""

from __future__ import annotations

import csv
import gzip
import zlib

from shared.errors import Misconfigured
from shared.pipeline.lookalikes import no_text_said

_GZIP = b"\x1f\x8b"

SEPARATORS = {",": "commas", ";": "semicolons", "\t": "tabs"}


def text_in(content: bytes, name: str) -> str:
    """The content as text, its lines ended by line feeds also where none is; `Misconfigured` where it is no text.

    It may be compressed with gzip.
    """
    try:
        content = gzip.decompress(content) if content.startswith(_GZIP) else content
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise Misconfigured(f"{name} is not what its name says: {no_text_said(content, error.start)}") from error
    except (OSError, EOFError, zlib.error) as error:
        raise Misconfigured(f"{name}: what was compressed with gzip is damaged: {error}") from error
    if (at := text.find("\0")) >= 0:
        raise Misconfigured(f"{name} is not what its name says: {no_text_said(content, at)}")
    return text if "\n" in text else text.replace("\r", "\n")


def separator_in(text: str, name: str) -> str:
    """What splits the first line into most names; the comma, unless another does better.

    `Misconfigured`, with the file's `name` and the line, where that line cannot be read.

    >>> [separator_in(text, "a.csv") for text in ('id;"a;b";c,d', "id,a;b", "id")]
    [';', ',', ',']
    """
    names = text.lstrip("\r\n")
    blank = text[: len(text) - len(names)].count("\n")
    try:
        lines = [names.partition("\n")[0]]
        return max(SEPARATORS, key=lambda each: len(next(csv.reader(lines, delimiter=each), [])))
    except csv.Error as error:
        raise Misconfigured(
            f"{name}:{blank + 1}: the first line must name the columns, and cannot be read as CSV ({error}): "
            "write a line of names, then a line per row, each ended by a line feed"
        ) from error
