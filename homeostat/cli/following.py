"""What rows from a file are called, and what became of them once they were accepted."""

from __future__ import annotations

from pathlib import Path

from shared.messages.data import FILE_SOURCE

_LONGEST_SOURCE = 200


def source_of(file: str) -> str:
    """The source of a file's rows: what is wrong with one file is then held against that file alone.

    >>> source_of("data/march.csv"), source_of("-")
    ('file:march.csv', 'stdin')
    """
    return "stdin" if file == "-" else (FILE_SOURCE + Path(file).name)[:_LONGEST_SOURCE]
