"""How files of text mark a cell that has no value: empty, or one of a few usual words.

Where text is expected, such a word is text: ``NA`` may be Namibia, ``none`` a choice.
"""

from __future__ import annotations

from collections.abc import Collection

import polars as pl

MARKS = ("", "-", "--", "?", "na", "n/a", "#n/a", "nan", "null", "none")
"""In lower case; how they are written in that respect, and spaces around them, make no difference."""
_SHOWN = 3


def is_marked(column: pl.Series) -> pl.Series:
    """Which cells of a column of text say that there is no value.

    >>> is_marked(pl.Series(["-", " N/A", "1", "Nan", None])).to_list()
    [True, True, False, True, False]
    """
    return column.str.strip_chars().str.to_lowercase().is_in(MARKS).fill_null(value=False)


def without_marks(frame: pl.DataFrame, names: Collection[str]) -> pl.DataFrame:
    """The frame in which marked cells of these columns, where they are text, are missing."""
    found = [name for name in frame.columns if name in names and frame.schema[name] == pl.String]
    return frame.with_columns(frame[name].set(is_marked(frame[name]), None) for name in found)


def marks_said(written: pl.Series) -> str:
    """How many cells of a column of text are marked, and how; empty where none is.

    >>> marks_said(pl.Series(["-", "-", "1", "NA"]))
    "2 cells are '-', 1 'NA'"
    """
    marks = written.filter(is_marked(written) & (written.str.strip_chars() != ""))
    said = [f"{count} {_cells(count, place)}{mark!r}" for place, (mark, count) in enumerate(_counted(marks))]
    return ", ".join(said[:_SHOWN]) + (f" and {len(said) - _SHOWN} marks more" if len(said) > _SHOWN else "")


def _counted(marks: pl.Series) -> list[tuple[str, int]]:
    """Each with how often it is there, the most frequent first."""
    return [(mark, count) for mark, count in marks.value_counts(sort=True, name="count").sort(
        ["count", marks.name], descending=[True, False]
    ).iter_rows()]  # fmt: skip


def _cells(count: int, place: int) -> str:
    if place:
        return ""
    return "cell is " if count == 1 else "cells are "
