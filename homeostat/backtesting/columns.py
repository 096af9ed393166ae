"""A file's columns, and the data contract held against whole columns at once.

`checked` gives what `shared.pipeline.contract.Contract` gives row by row; where a column is not of the
plain type that makes this quick, rows are left for `Contract` itself.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import numpy as np
import polars as pl
from numpy.typing import NDArray

from homeostat.plain_values import plain
from shared.pipeline.contract import Contract, Row
from shared.pipeline.problems import Problem
from shared.pipeline.specification import FieldSpec, Specification
from shared.pipeline.types import DTYPES
from shared.pipeline.written_times import RFC_3339

Bools = NDArray[np.bool_]
Ints = NDArray[np.int64]
Floats = NDArray[np.float64]
_WHOLE, _LARGEST, _EXACT = (-(2**63), 2**63 - 1), 1.7976931348623157e308, 2.0**62


@dataclass(frozen=True, slots=True)
class Columns:
    """Columns of one height, by name. A column whose cells are of several types is a plain list."""

    cells: Mapping[str, pl.Series | list[Any]]
    height: int

    @classmethod
    def of_frame(cls, frame: pl.DataFrame) -> Columns:
        """Values become what JSON carries (`plain_values.plain`)."""
        return cls({column.name: _column(column) for column in plain(frame).get_columns()}, frame.height)

    @classmethod
    def of_rows(cls, rows: Sequence[Mapping[str, Any]]) -> Columns:
        names = dict.fromkeys(name for row in rows for name in row)
        return cls({name: _series(name, [row.get(name) for row in rows]) for name in names}, len(rows))

    def __contains__(self, name: object) -> bool:
        return name in self.cells

    def values(self, name: str) -> list[Any]:
        """The column's cells; None throughout where there is no such column."""
        found = self.cells.get(name)
        if found is None:
            return [None] * self.height
        return found if isinstance(found, list) else found.to_list()

    def missing(self, name: str) -> int:
        """How many cells are empty."""
        found = self.cells.get(name)
        if found is None:
            return self.height
        return sum(cell is None for cell in found) if isinstance(found, list) else found.null_count()

    def row(self, place: int) -> dict[str, Any]:
        """One row as a JSON object."""
        return {name: column[place] for name, column in self.cells.items()}

    def ordered(self, order: Ints) -> Columns:
        """The rows in this order."""
        places = order.tolist()
        return Columns(
            {
                name: [column[place] for place in places] if isinstance(column, list) else column.gather(order)
                for name, column in self.cells.items()
            },
            self.height,
        )


def _column(column: pl.Series) -> pl.Series | list[Any]:
    """Cells that are lists or objects as such, as they travel in JSON."""
    return column.to_list() if column.dtype.is_nested() else column


def _series(name: str, cells: list[Any]) -> pl.Series | list[Any]:
    kinds = {type(cell) for cell in cells if cell is not None}
    plain: Mapping[frozenset[type], Any] = {
        frozenset({int}): pl.Int64,
        frozenset({float}): pl.Float64,
        frozenset({str}): pl.String,
        frozenset({bool}): pl.Boolean,
        frozenset(): pl.Null,
    }
    dtype = plain.get(frozenset(kinds))
    if dtype is None:
        return cells
    try:
        return pl.Series(name, cells, dtype=dtype)
    except (pl.exceptions.PolarsError, OverflowError, TypeError):
        return cells


@dataclass(frozen=True, slots=True)
class Checked:
    """Columns held against a contract.

    `frame`: the checked fields (all but the target) in the contract's form; only rows with `fits` count.
    `problems`: by row, why it does not fit. `labels`: the target by row, None where missing or wrong;
    `label_problems` says why.
    """

    frame: pl.DataFrame
    fits: Bools
    problems: dict[int, Problem]
    labels: list[Any]
    label_problems: dict[int, Problem]


def checked(columns: Columns, specification: Specification) -> Checked:
    """Each row as `Contract.check_row` would have it."""
    contract, lenient = Contract(specification), {specification.id, specification.timestamp}
    fits, found = np.ones(columns.height, bool), dict[str, pl.Series]()
    for name, field in specification.fields.items():
        if name != specification.target:
            column = columns.cells.get(name)
            column = _as_id(column, field) if name == specification.id else column
            values, good = _field(column, field, columns.height, nullable=field.nullable or name in lenient)
            found[name] = values.rename(name)
            fits &= good
    frame = pl.DataFrame(found) if found else pl.DataFrame({"": [None] * columns.height})
    problems, mended = {}, dict[int, Row]()
    for place in np.flatnonzero(~fits).tolist():
        one = contract.check_row({k: v for k, v in columns.row(place).items() if k != specification.target})
        if isinstance(one, Problem):
            problems[place] = one
        else:
            mended[place] = one
    if mended:
        frame = _mended(frame, mended)
        fits[list(mended)] = True
    labels, wrong = _labels(columns, specification, contract)
    return Checked(frame, fits, problems, labels, wrong)


def _mended(frame: pl.DataFrame, rows: Mapping[int, Row]) -> pl.DataFrame:
    """Rows that fit after all, cell by cell."""
    places = list(rows)
    return frame.with_columns(
        pl.Series(name, _put(frame[name].to_list(), places, [rows[p].values[name] for p in places]), frame[name].dtype)
        for name in frame.columns
    )


def _put(cells: list[Any], places: Iterable[int], values: Iterable[Any]) -> list[Any]:
    for place, value in zip(places, values, strict=True):
        cells[place] = value
    return cells


def _field(
    column: pl.Series | list[Any] | None, field: FieldSpec, height: int, *, nullable: bool
) -> tuple[pl.Series, Bools]:
    """(the column in the contract's form, which rows surely fit)."""
    dtype = pl.String if field.type == "timestamp" else DTYPES[field.type]
    column = _numbers(column, field)
    if column is None or isinstance(column, list) or column.dtype == pl.Null:
        missing = column is None or isinstance(column, pl.Series)
        return pl.Series([None] * height, dtype=dtype), np.full(height, missing and nullable)
    converted = _converted(column, field)
    if converted is None:
        return pl.Series([None] * height, dtype=dtype), np.full(height, False) | (_null(column) & nullable)
    values, good = converted
    if field.allowed is not None:
        allowed = frozenset(field.allowed)
        good &= np.array([value in allowed for value in values.to_list()], bool)
    return values, np.where(_null(column), nullable, good)


def _numbers(column: pl.Series | list[Any] | None, field: FieldSpec) -> pl.Series | list[Any] | None:
    """Whole numbers among others: one column where a number is asked for; in a text they stay what they are."""
    if not isinstance(column, list) or field.type not in ("number", "integer"):
        return column
    mixed = {type(cell) for cell in column if cell is not None} == {int, float}
    return pl.Series(column, dtype=pl.Float64, strict=False) if mixed else column


def _as_id(column: pl.Series | list[Any] | None, field: FieldSpec) -> pl.Series | list[Any] | None:
    """Ids are text, also where their field is a number: those that are whole numbers throughout, as such."""
    if not isinstance(column, pl.Series) or column.dtype != pl.String or field.type not in ("number", "integer"):
        return column
    return column.cast(pl.Int64) if column.str.contains(r"^[+-]?[0-9]{1,18}$").all() else column


def _null(column: pl.Series) -> Bools:
    return column.is_null().to_numpy()


def _converted(column: pl.Series, field: FieldSpec) -> tuple[pl.Series, Bools] | None:
    """None where the column's type is not the plain one of the field."""
    if field.type in ("number", "integer") and column.dtype.is_numeric():
        return _number(column, field)
    if column.dtype == {"string": pl.String, "boolean": pl.Boolean}.get(field.type):
        return column, _true(column.is_not_null())
    return _times(column) if field.type == "timestamp" and column.dtype == pl.String else None


def _number(column: pl.Series, field: FieldSpec) -> tuple[pl.Series, Bools]:
    low, high = field.range or (None, None)
    if field.type == "number":
        number = column.cast(pl.Float64)
        bounds = (-_LARGEST if low is None else low, _LARGEST if high is None else high)
        return number, _true(number.is_finite() & (number >= bounds[0]) & (number <= bounds[1]))
    bounds = (_WHOLE[0] if low is None else low, _WHOLE[1] if high is None else high)
    whole = column.cast(pl.Int64, strict=False)
    exact = column.is_not_null()
    if column.dtype.is_float():
        exact = column.is_finite() & (column == column.floor()) & (column.abs() < _EXACT)
    return whole, _true(exact & (whole >= bounds[0]) & (whole <= bounds[1]))


def _times(column: pl.Series) -> tuple[pl.Series, Bools]:
    """RFC 3339 in UTC, as the contract writes it; other ways to write a time are left to it."""
    plain = column.str.contains(r"^\d{4}-\d\d-\d\dT\d\d:\d\d:[0-5]\d\.\d{6}Z$")
    right = column.str.to_datetime(RFC_3339, time_unit="us", strict=False).is_not_null()
    return column, _true(plain & right)


def _true(mask: pl.Series) -> Bools:
    return mask.fill_null(False).to_numpy().copy()


def _labels(columns: Columns, specification: Specification, contract: Contract) -> tuple[list[Any], dict[int, Problem]]:
    target = specification.target
    if target is None or target not in columns:
        return [None] * columns.height, {}
    values, good = _field(columns.cells[target], specification.fields[target], columns.height, nullable=True)
    labels, problems = values.to_list(), dict[int, Problem]()
    for place in np.flatnonzero(~good).tolist():
        label = contract.check_label(columns.cells[target][place])
        labels[place] = None if isinstance(label, Problem) else label
        if isinstance(label, Problem):
            problems[place] = label
    return labels, problems


def times_of(cells: pl.Series | list[Any]) -> Floats:
    """Times as seconds since 1970; NaN for what is none."""
    if isinstance(cells, list) or cells.dtype != pl.String:
        return np.array([seconds_of(value) for value in cells])
    _, plain = _times(cells)
    at = cells.str.to_datetime(RFC_3339, time_unit="us", strict=False)
    found = (at.to_physical().cast(pl.Float64) / 1e6).to_numpy().copy()
    for place in np.flatnonzero(~plain).tolist():
        found[place] = seconds_of(cells[place])
    return found


def seconds_of(value: Any) -> float:
    """A time as seconds since 1970; NaN for what is none."""
    try:
        if isinstance(value, bool) or value is None:
            return float("nan")
        if isinstance(value, int | float):
            return float(value)
        at = datetime.fromisoformat(str(value))
        return (at if at.tzinfo is not None else at.replace(tzinfo=UTC)).timestamp()
    except (ValueError, OverflowError):
        return float("nan")
