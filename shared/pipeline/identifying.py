"""Which column of a file tells its rows apart, or nearly does."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from typing import NamedTuple

import polars as pl

_ID_NAMES = re.compile(r"(?i)((^|[_ .-])(id|uuid|guid|no|nr|num|key|ref)|number)$|[a-z](Id|ID|No|Nr|Key)$")
_TIME_NAMES = re.compile(r"(?i)(^|[_ .-])(at|ts|when|time|timestamp|date|datetime|datum|zeit|epoch)([_ .-]|$)")
_FEWEST_ROWS = 50
"""In a shorter file any column may be different in each row by chance."""
_MOST_FLAWS = 0.01
"""The share of rows that may be empty or repeated where a column still is nearly an id."""


class Near(NamedTuple):
    """A column that would be an id but for some rows; `flaws` says what is in the way."""

    name: str
    flaws: str


def called_like_one(name: str) -> bool:
    """Whether an id would be called so."""
    return _ID_NAMES.search(name) is not None


def id_in(frame: pl.DataFrame, names: Sequence[str]) -> str | None:
    """The column that tells the rows apart: one called like an id, else the first, where it is text or counts up."""
    unique = [name for name in names if _may_be(frame[name]) and _flaws(frame[name]) == (0, 0)]
    called = next(filter(called_like_one, unique), None)
    unique = [name for name in unique if not _TIME_NAMES.search(name)]
    if called is not None or names[:1] != unique[:1] or len(names) == 1 or len(frame) < _FEWEST_ROWS:
        return called
    first = frame[unique[0]]
    return first.name if first.dtype == pl.String or first.is_sorted() else None


def near_id(frame: pl.DataFrame, names: Iterable[str]) -> Near | None:
    """The column that would be the id, were a few of its rows not empty or repeated: called like one, else of text."""
    if len(frame) < _FEWEST_ROWS:
        return None
    likely = [name for name in names if _may_be(frame[name]) and 0 < sum(_flaws(frame[name])) <= _near(frame)]
    texts = [name for name in likely if frame.schema[name] == pl.String and not _TIME_NAMES.search(name)]
    name = next(filter(called_like_one, likely), texts[0] if texts else None)
    if name is None:
        return None
    empty, repeated = _flaws(frame[name])
    told = [f"{empty:,} empty"] * bool(empty) + [f"{repeated:,} repeated"] * bool(repeated)
    different = len(frame) - empty - repeated
    return Near(name, f"{different:,} different values in {len(frame):,} rows; {', '.join(told)}")


def _may_be(column: pl.Series) -> bool:
    return column.dtype == pl.String or column.dtype.is_integer()


def _near(frame: pl.DataFrame) -> float:
    return max(1.0, _MOST_FLAWS * len(frame))


def _flaws(column: pl.Series) -> tuple[int, int]:
    """How many cells are empty, and how many repeat an earlier one."""
    values = column.drop_nulls()
    return column.null_count(), len(values) - values.n_unique()
