"""Times as people and spreadsheets write them, read where they can mean one thing alone.

``2024-02-01 07:13`` and ``01.02.2024 07:13`` can. ``01/02/2024`` and ``01-02-2024`` may be of January or February:
they are read where another cell of the column decides, as ``13/02/2024`` does.
"""

from __future__ import annotations

from dataclasses import dataclass

import polars as pl

RFC_3339 = "%Y-%m-%dT%H:%M:%S.%6fZ"
"""How times are written: in UTC, to the microsecond."""
_CLOCK = (
    r"(?:[T ]\s*(?P<hour>\d{1,2}):(?P<minute>[0-5]\d)(?::(?P<second>[0-5]\d)(?P<fraction>[.,]\d{1,9})?)?"
    r"\s*(?P<zone>Z|[+-]\d\d:?\d\d)?)?\s*$"
)
_YEAR_FIRST = r"^\s*(?P<year>[1-9]\d{3})[-/](?P<month>\d{1,2})[-/](?P<day>\d{1,2})" + _CLOCK
_POINTS = r"^\s*(?P<day>\d{1,2})\.(?P<month>\d{1,2})\.(?P<year>[1-9]\d{3})" + _CLOCK
_EITHER = r"^\s*(?P<first>\d{{1,2}}){mark}(?P<second_part>\d{{1,2}}){mark}(?P<year>[1-9]\d{{3}})"
_ZONED = r"(Z|[+-]\d\d:?\d\d)\s*$"
_DATED = r"^\s*\d{1,4}[-/.]\d{1,2}[-/.]\d"
_SLASH, _DASH = "/", "-"
_ISO = r"^\d{4}-\d\d-\d\d([T ]\d\d:\d\d(:\d\d(\.\d{1,9})?)?(Z|[+-]\d\d:?\d\d)?)?$"


@dataclass(frozen=True, slots=True)
class WrittenTimes:
    """A column of text as times.

    `utc`: the times, null where a cell is none that can be read; those that name no zone are UTC. `dates`: how many
    cells are dates at all. `remark`: how they were read. `doubt`: why some were not; both empty where there is nothing
    to say.
    """

    utc: pl.Series
    dates: int
    remark: str
    doubt: str

    @property
    def text(self) -> pl.Series:
        """The times as `RFC_3339` has them."""
        return self.utc.dt.strftime(RFC_3339)


def written_times(column: pl.Series) -> WrittenTimes:
    """Each cell of a column of text as the time that it can mean alone.

    >>> found = written_times(pl.Series(["31.01.2026 12:00", "2026-01-31T13:00+01:00", "soon"]))
    >>> found.text.to_list()
    ['2026-01-31T12:00:00.000000Z', '2026-01-31T12:00:00.000000Z', None]
    >>> written_times(pl.Series(["01/02/2026", "02/02/2026"])).doubt
    '01/02/2026 may be day/month or month/day: write it as 2026-01-31T12:00:00Z'
    """
    dates = int(column.str.contains(_DATED).sum())
    forms = {"year-month-day": _YEAR_FIRST, "day.month.year": _POINTS}
    doubts = []
    for mark in (_SLASH, _DASH) if dates else ():
        form, doubt = _order(column, mark)
        forms |= form
        doubts += [doubt] if doubt else []
    utc, ways = _none(column), []
    for way, pattern in forms.items() if dates else ():
        found = _times(column, pattern)
        ways += [way] if found.count() and way != "year-month-day" else []
        utc = utc.zip_with(utc.is_not_null(), found)
    return WrittenTimes(
        utc.alias(column.name), dates, _remark(column.filter(utc.is_not_null()), ways), "; ".join(doubts)
    )


def all_iso(column: pl.Series) -> bool:
    """Whether each cell of a column of text is a time as it can be sent without being rewritten."""
    values = column.drop_nulls()
    return len(values) > 0 and bool(values.str.contains(_ISO).all()) and not _times(values, _YEAR_FIRST).null_count()


def _order(column: pl.Series, mark: str) -> tuple[dict[str, str], str]:
    """(the form that dates with this mark between their parts have, by its name; why none can be told)."""
    parts = column.str.extract_groups(_EITHER.format(mark=mark) + _CLOCK).struct.unnest()
    first, second = (parts[name].cast(pl.Int64) for name in ("first", "second_part"))
    if not first.count():
        return {}, ""
    day_first, month_first = (bool(each.is_between(13, 31).any()) for each in (first, second))
    orders = {f"day{mark}month{mark}year": ("day", "month"), f"month{mark}day{mark}year": ("month", "day")}
    if day_first == month_first:
        cell = column.filter(first.is_not_null())[0].strip()
        orders_said = f"day{mark}month or month{mark}day"
        why = f"{cell} may be {orders_said}" if not day_first else f"dates are both {orders_said.replace('or', 'and')}"
        return {}, f"{why}: write it as 2026-01-31T12:00:00Z"
    way = next(way for way, names in orders.items() if names[0] == ("day" if day_first else "month"))
    pattern = _EITHER.replace("first", orders[way][0]).replace("second_part", orders[way][1])
    return {way: pattern.format(mark=mark) + _CLOCK}, ""


def _times(column: pl.Series, pattern: str) -> pl.Series:
    """The cells of this pattern as times in UTC; null where a cell is not, or names a day that no calendar has."""
    part = pl.col
    iso = pl.concat_str(
        *(part("year"), pl.lit("-"), part("month").str.zfill(2), pl.lit("-"), part("day").str.zfill(2), pl.lit("T")),
        *(part("hour").fill_null("0").str.zfill(2), pl.lit(":"), part("minute").fill_null("00"), pl.lit(":")),
        *(part("second").fill_null("00"), part("fraction").fill_null("").str.replace(",", ".", literal=True)),
        part("zone").fill_null("Z").str.replace("Z", "+00:00", literal=True),
    )
    parts = column.str.extract_groups(pattern).struct.unnest()
    return parts.select(iso.str.to_datetime("%Y-%m-%dT%H:%M:%S%.f%z", time_unit="us", strict=False)).to_series()


def _none(column: pl.Series) -> pl.Series:
    return pl.Series([None] * len(column), dtype=pl.Datetime("us", "UTC"))


def _remark(cells: pl.Series, ways: list[str]) -> str:
    read = [f"read as {' and '.join(ways)}"] if ways else []
    zoneless = len(cells) > 0 and not cells.str.contains(_ZONED).all()
    return ", ".join(read + (["no zone: taken as UTC"] if zoneless else []))
