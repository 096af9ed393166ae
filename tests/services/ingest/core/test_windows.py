"""Statistics over windows: of their own values alone, wherever a batch is cut for its memory."""

from __future__ import annotations

import random
import statistics

import polars as pl
import pytest

from services.ingest.core.windows import Window, windowed

STATISTICS = ("mean", "std", "min", "max", "sum", "median", "count")
LONG = 40_000
"""Cut into a dozen pieces by windows of 30."""


def column(gaps: bool) -> pl.Series:
    rng = random.Random(5)
    return pl.Series([None if gaps and rng.random() < 0.3 else rng.gauss(3, 1e3) for _ in range(LONG + 29)])


@pytest.mark.parametrize("gaps", [False, True])
def test_a_long_stretch_has_the_values_of_each_row_on_its_own(gaps: bool) -> None:
    windows = [Window(0, length, statistic, 2) for statistic in STATISTICS for length in (30, 4)]
    values, ends = column(gaps), pl.Series(range(29, LONG + 29))

    found = windowed(windows, [values], ends)

    for row in random.Random(6).sample(range(LONG), 60):
        alone = windowed(windows, [values], ends.slice(row, 1))
        assert [each[row] for each in found] == [each[0] for each in alone]


@pytest.mark.parametrize("gaps", [False, True])
def test_of_two_windows_over_the_same_values_each_asks_for_its_own_least_rows(gaps: bool) -> None:
    values = column(gaps)
    strict, lax, never = windowed(
        [Window(0, 4, "mean", 4), Window(0, 4, "mean", 1), Window(0, 4, "mean", 5)], [values], pl.Series([50, 51, 52])
    )

    for place, end in enumerate((50, 51, 52)):
        known = [each for each in values[end - 3 : end + 1].to_list() if each is not None]
        usual = pytest.approx(statistics.fmean(known)) if known else None
        assert lax[place] == usual
        assert strict[place] == (usual if len(known) == 4 else None)
        assert never[place] is None
