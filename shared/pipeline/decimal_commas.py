"""Numbers as spreadsheets write them where no comma separates fields, since it stands in numbers: ``1.234,56``.

There ``1.000`` is one thousand, or one: the other numbers say which. Where they do not, the file is refused.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence

import polars as pl

from shared.errors import Misconfigured

_WITH_COMMA = r"^\s*[+-]?(?:\d+|[1-9]\d{0,2}(?:\.\d{3})+),\d+\s*$"
_THOUSANDS = r"^\s*[+-]?[1-9]\d{0,2}(?:\.\d{3})+(?:,\d+)?\s*$"
_MILLIONS = r"^\s*[+-]?[1-9]\d{0,2}(?:\.\d{3}){2,}\s*$"
_COMMA_THOUSANDS = r"^\s*[+-]?[1-9]\d{0,2}(?:,\d{3})+\s*$"
_CERTAINLY_COMMA_THOUSANDS = r"^\s*[+-]?[1-9]\d{0,2}(?:,\d{3})+(?:,\d{3}|\.\d+)\s*$"
_SHOWN = 3


def with_points(
    frame: pl.DataFrame,
    written: pl.DataFrame,
    separator: str,
    name: str,
    texts: Collection[str] = (),
    numbers: Collection[str] = (),
) -> pl.DataFrame:
    """The frame with points for decimals in columns of numbers; unchanged if `separator` is a comma.

    `written`: the columns as text, as they stand in the file `name`. Columns in `texts` stay as they are; of
    numbers are those in `numbers`, and those in which they are most of the cells. Cells that are no number stay.
    Where a file has commas in decimals, a point in ``1.000`` separates thousands if every number of the column that
    has a point can be read so. `Misconfigured` names a column in which some can and others cannot.

    >>> written = pl.DataFrame({"x": ["1,5", "1.000"], "y": ["a,b", "1,5"]})
    >>> with_points(written, written, ";", "a.csv").to_dicts()
    [{'x': 1.5, 'y': 'a,b'}, {'x': 1000.0, 'y': '1,5'}]
    """
    if separator == ",":
        return frame
    found = [each.name for each in frame.get_columns() if each.dtype == pl.String or each.dtype.is_float()]
    columns = [written[each] for each in found if each not in texts]
    columns = [each for each in columns if each.name in numbers or _mostly_numbers(each)]
    if not any(_has_decimal_commas(each, separator) or _any(each, _MILLIONS) for each in columns):
        return frame
    _refuse_other_ways(columns, name)
    return frame.with_columns(_read(each) for each in columns if _any(each, _WITH_COMMA) or _any(each, _THOUSANDS))


def _has_decimal_commas(column: pl.Series, separator: str) -> bool:
    """Between semicolons every comma is one; between tabs ``1,000`` alone does not say so."""
    commas = column.filter(column.str.contains(_WITH_COMMA))
    return len(commas) > 0 and (separator == ";" or not commas.str.contains(_COMMA_THOUSANDS).all())


def _refuse_other_ways(columns: Sequence[pl.Series], name: str) -> None:
    """`Misconfigured` where a point, or a comma, may stand for two things."""
    has_decimal_points = [_has_decimal_points(column, name) for column in columns]
    for column in columns:
        commas = column.filter(column.str.contains(","))
        numbers = commas.filter(commas.str.contains(_WITH_COMMA))
        only_thousands = len(numbers) > 0 and numbers.str.contains(_COMMA_THOUSANDS).all()
        if _any(column, _CERTAINLY_COMMA_THOUSANDS) or (only_thousands and any(has_decimal_points)):
            raise _ambiguous(name, column, commas.to_list())


def _has_decimal_points(column: pl.Series, name: str) -> bool:
    """Whether points can be nothing else in this column; `Misconfigured` where some can be, and some cannot."""
    pointed = _pointed(column)
    others = pointed.filter(~pointed.str.contains(_THOUSANDS))
    if len(others) and (len(others) < len(pointed) or _any(column, _WITH_COMMA)):
        raise _ambiguous(name, column, [others[0], *column.filter(column.str.contains(f"{_THOUSANDS}|{_WITH_COMMA}"))])
    return len(others) > 0


def _ambiguous(name: str, column: pl.Series, cells: Sequence[str]) -> Misconfigured:
    shown = ", ".join(cell.strip() for cell in dict.fromkeys(cells[:_SHOWN]))
    return Misconfigured(
        f"{name}: whether points and commas separate thousands or decimals cannot be told in the column "
        f"`{column.name}`, as in {shown}: write all numbers of the file in one way, best without thousands separators"
    )


def _pointed(column: pl.Series) -> pl.Series:
    """The cells that are numbers with a point in them."""
    is_number = column.str.strip_chars().cast(pl.Float64, strict=False).is_not_null()
    return column.filter((is_number & column.str.contains(".", literal=True)) | column.str.contains(_THOUSANDS))


def _read(column: pl.Series) -> pl.Series:
    """Numbers, where all cells are; else text in which they are written with points."""
    text = _rewritten(column)
    numbers = text.cast(pl.Float64, strict=False)
    whole = numbers.null_count() == column.null_count() and bool(numbers.is_finite().all())
    return numbers if whole else text


def _rewritten(column: pl.Series) -> pl.Series:
    thousands = column.str.contains(_THOUSANDS).fill_null(value=False)
    bare = column.str.replace_all(".", "", literal=True).zip_with(thousands, column)
    return bare.str.replace(r"^\s*([+-]?\d+),(\d+)\s*$", "$1.$2")


def _mostly_numbers(column: pl.Series) -> bool:
    return 2 * int(_rewritten(column).cast(pl.Float64, strict=False).count()) > int(column.count())


def _any(column: pl.Series, pattern: str) -> bool:
    return bool(column.str.contains(pattern).any())
