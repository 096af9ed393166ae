"""Commas and points in numbers: one meaning each in a file, or none is guessed."""

from __future__ import annotations

from collections.abc import Sequence

import polars as pl
import pytest

from shared.errors import Misconfigured
from shared.pipeline.decimal_commas import with_points

COMMAS = ["1,5", "2,5", "3,5"]


def read(cells: Sequence[str | None], others: Sequence[str] = COMMAS, separator: str = ";") -> list[object]:
    """The cells in a file in which other numbers are written so."""
    written = pl.DataFrame({"x": cells, "other": others})
    floats = [name for name in written.columns if written[name].cast(pl.Float64, strict=False).null_count() == 0]
    guessed = written.with_columns(pl.col(floats).cast(pl.Float64))
    return with_points(guessed, written, separator, "a.csv")["x"].to_list()


@pytest.mark.parametrize(
    ("cells", "numbers"),
    [
        (["1.234,56", "2,5", "1.000"], [1234.56, 2.5, 1000.0]),
        (["1.000", "-2.000", "12"], [1000.0, -2000.0, 12.0]),
        (["1.234.567", "+1.000", " 5,25 "], [1234567.0, 1000.0, 5.25]),
        (["0.500", "1.5", "2"], [0.5, 1.5, 2.0]),
        (["1.5", "2.25", "1e3"], [1.5, 2.25, 1000.0]),
        (["1,5", None, "1.000"], [1.5, None, 1000.0]),
        (["1,5", "dear", "1.000"], ["1.5", "dear", "1000"]),
        (["1,5", "NaN", "1.000"], ["1.5", "NaN", "1000"]),
        (["1,5", "1.23,4", "2,5"], ["1.5", "1.23,4", "2.5"]),
        (["1.2.2026", "10.0.0.1", "1.000"], ["1.2.2026", "10.0.0.1", "1.000"]),
    ],
)
def test_each_number_is_read_as_the_others_are_written(cells: list[str | None], numbers: list[object]) -> None:
    assert read(cells) == numbers


@pytest.mark.parametrize(
    "cells",
    [
        ["1.000", "1.5", "2"],
        ["1.000", "0.500", "2"],
        ["1,5", "2.5", "3"],
        ["1,234.56", "1,000", "2,000"],
        ["1,234,567", "1,000", "2,000"],
    ],
)
def test_what_may_mean_two_things_is_refused_by_its_column(cells: list[str | None]) -> None:
    with pytest.raises(Misconfigured, match=r"a\.csv: .* in the column `x`, as in .*: write all numbers"):
        read(cells)


def test_commas_that_may_separate_thousands_are_refused_beside_points_in_decimals() -> None:
    with pytest.raises(Misconfigured, match="in the column `x`, as in 1,000, 2,000: "):
        read(["1,000", "2,000", "5"], ["1.5", "2.5", "3.5"])


def test_millions_say_what_a_point_is_where_no_number_has_a_comma() -> None:
    assert read(["1.234.567", "1.000", "7"], ["1.000", "2.000", "3"]) == [1234567.0, 1000.0, 7.0]


def test_points_stand_in_decimals_where_nothing_says_otherwise() -> None:
    assert read(["1.000", "2.500", "3"], ["a,b", "1,5", "c"]) == [1.0, 2.5, 3.0]


def test_commas_mean_nothing_where_they_separate_fields() -> None:
    assert read(["1,5", "1.000", "2,5"], separator=",") == ["1,5", "1.000", "2,5"]


def test_between_tabs_a_comma_is_in_decimals_where_one_can_be_nothing_else() -> None:
    assert read(["1,000", "2.000", "2"], separator="\t") == [1.0, 2000.0, 2.0]
    assert read(["1,000", "2,000", "2"], ["a", "b", "c"], separator="\t") == ["1,000", "2,000", "2"]
