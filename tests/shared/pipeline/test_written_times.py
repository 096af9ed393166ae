from __future__ import annotations

import polars as pl
import pytest

from shared.pipeline.written_times import all_iso, written_times


@pytest.mark.parametrize(
    ("cell", "time"),
    [
        ("2024-02-01", "2024-02-01T00:00:00.000000Z"),
        ("2024/2/1 7:13", "2024-02-01T07:13:00.000000Z"),
        ("2024-02-01T07:13:05,25Z", "2024-02-01T07:13:05.250000Z"),
        ("2024-02-01 07:13+0530", "2024-02-01T01:43:00.000000Z"),
        (" 01.02.2024 07:13 ", "2024-02-01T07:13:00.000000Z"),
        ("29.02.2023", None),
        ("01.13.2024", None),
        ("01.02.24", None),
        ("0000-01-01", None),
        ("2024-02-01 24:00", None),
        ("2024-02-01 07:13:60", None),
        ("1.234", None),
        ("20240201", None),
        ("", None),
        (None, None),
    ],
)
def test_a_time_is_read_where_it_can_mean_one_thing_alone(cell: str | None, time: str | None) -> None:
    assert written_times(pl.Series([cell], dtype=pl.String)).text.to_list() == [time]


@pytest.mark.parametrize("mark", ["/", "-"])
@pytest.mark.parametrize(
    ("deciding", "expected"), [("13 02 2024", "2024-04-03"), ("02 13 2024", "2024-03-04"), ("02 12 2024", None)]
)
def test_one_date_decides_the_order_of_all_that_are_written_alike(
    mark: str, deciding: str, expected: str | None
) -> None:
    column = pl.Series([cell.replace(" ", mark) for cell in ("03 04 2024", deciding, "31.12.2024")])

    found = written_times(column)

    assert found.utc.dt.date().cast(pl.String)[0] == expected
    assert found.utc.dt.date().cast(pl.String)[2] == "2024-12-31"
    assert bool(found.doubt) == (expected is None)


def test_a_column_in_which_both_orders_occur_is_in_doubt() -> None:
    found = written_times(pl.Series(["13/01/2024", "01/13/2024"]))

    assert found.utc.null_count() == 2
    assert found.doubt == "dates are both day/month and month/day: write it as 2026-01-31T12:00:00Z"


@pytest.mark.parametrize(
    ("cells", "expected"),
    [(["2024-02-01", None], True), (["2024-02-01", "01.02.2024"], False), (["2024-02-31"], False), ([None], False)],
)
def test_a_column_needs_no_rewriting_where_each_cell_is_iso(cells: list[str | None], *, expected: bool) -> None:
    assert all_iso(pl.Series(cells, dtype=pl.String)) == expected
