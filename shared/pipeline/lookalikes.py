"""What a file that is no text in UTF-8 seems to be, and what to do then."""

from __future__ import annotations

_TABLE = "save its table as CSV (UTF-8)"
_NO_TABLE = "it has no rows"
_KINDS = {
    b"\x89PNG": ("a PNG picture", _NO_TABLE),
    b"\xff\xd8\xff": ("a JPEG picture", _NO_TABLE),
    b"GIF8": ("a GIF picture", _NO_TABLE),
    b"%PDF": ("a PDF", _TABLE),
    b"\x7fELF": ("a program", _NO_TABLE),
    b"PK\x03\x04": ("a zip archive, as workbooks of Excel are", _TABLE),
    b"\xd0\xcf\x11\xe0": ("a workbook of an old Excel", _TABLE),
    b"SQLite format 3": ("a database of SQLite", _TABLE),
    b"PAR1": ("Parquet", "name it .parquet"),
    b"\xff\xfe": ("text in UTF-16", "save it as UTF-8"),
    b"\xfe\xff": ("text in UTF-16", "save it as UTF-8"),
}
_CONTROLS = frozenset(range(32)) - frozenset(b"\t\n\r\f")
_LOOKED_AT = 4096


def no_text_said(content: bytes, at: int) -> str:
    """Why the content, which is wrong from the place `at` on, is no text, and what to do; `content` is not in UTF-8.

    >>> no_text_said("Größe;1".encode("cp1252"), 2)
    'it is no text in UTF-8 (byte 2): it looks like text of Windows (cp1252) or Latin 1: save it as UTF-8'
    """
    for begin, (kind, advice) in _KINDS.items():
        if content.startswith(begin):
            return f"it looks like {kind}: {advice}"
    if _CONTROLS & set(content[:_LOOKED_AT]):
        return f"no text has zero bytes or the like (at {at}): save its table as CSV (UTF-8)"
    return f"it is no text in UTF-8 (byte {at}): it looks like text of Windows (cp1252) or Latin 1: save it as UTF-8"
