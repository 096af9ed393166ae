"""A history in any form has the same ids and values."""

from __future__ import annotations

import json
from datetime import date, datetime, time, timedelta
from decimal import Decimal
from pathlib import Path

import polars as pl
import pytest

from homeostat.backtesting.asking import columns_of
from homeostat.backtesting.columns import checked
from homeostat.column_types import of_events
from homeostat.rows import read_rows
from shared.errors import Misconfigured
from tests.homeostat.backtesting.histories import SPECIFICATION


def test_whole_numbers_are_ids_as_text_in_every_form_of_a_history(tmp_path: Path) -> None:
    rows = [{"id": n, "shop": f"0{n}", "amount": n * 0.5, "visits": n, "churned": n % 2 == 0} for n in range(3)]
    frame = pl.DataFrame(rows)
    frame.write_parquet(tmp_path / "rows.parquet")
    frame.write_csv(tmp_path / "rows.csv")
    (tmp_path / "rows.ndjson").write_text("\n".join(map(json.dumps, rows)))

    forms = [frame, *(tmp_path / f"rows.{suffix}" for suffix in ("parquet", "csv", "ndjson"))]
    found = [[columns.row(place) for place in range(3)] for columns in (columns_of(f, SPECIFICATION) for f in forms)]

    assert found == [[row | {"id": str(row["id"])} for row in rows]] * 4


NOON = datetime.fromisoformat("2026-07-01T12:00:00")
KINDS = {
    "zoned": (pl.Series([NOON]).dt.replace_time_zone("Europe/Berlin"), "2026-07-01T10:00:00.000000Z"),
    "bare": (pl.Series([NOON]), "2026-07-01T12:00:00.000000Z"),
    "nanoseconds": (pl.Series([NOON], dtype=pl.Datetime("ns")), "2026-07-01T12:00:00.000000Z"),
    "no time": (pl.Series([10**18]).cast(pl.Datetime("ms")), "1000000000000000000 ms since 1970"),
    "no day": (pl.Series([2**31 - 1], dtype=pl.Int32).cast(pl.Date), "2147483647 days since 1970"),
    "last": (pl.Series([datetime.fromisoformat("9999-12-31T23:59:59.999999")]), "9999-12-31T23:59:59.999999Z"),
    "no time in UTC": (pl.Series([10**18]).cast(pl.Datetime("us", "UTC")), "1000000000000000000 us since 1970"),
    "first": (pl.Series([date.min]).cast(pl.Datetime("ms")), "0001-01-01T00:00:00.000000Z"),
    "day": (pl.Series([date(2026, 7, 1)]), "2026-07-01T00:00:00.000000Z"),
    "clock": (pl.Series([time(12, 30)]), "12:30:00"),
    "duration": (pl.Series([timedelta(seconds=90)]), "PT1M30S"),
    "decimal": (pl.Series([Decimal("-1.50")]), -1.5),
    "whole decimal": (pl.Series([Decimal(2**53 + 1)], dtype=pl.Decimal(38, 0)), 2**53 + 1),
    "half": (pl.Series([0.5], dtype=pl.Float16), 0.5),
    "category": (pl.Series(["a"], dtype=pl.Categorical), "a"),
    "enum": (pl.Series(["a"], dtype=pl.Enum(["a", "b"])), "a"),
    "list": (pl.Series([[1, 2]]), [1, 2]),
    "object": (pl.Series([{"a": 1}]), {"a": 1}),
    "unused bytes": (pl.Series([b"a"]), None),
    "empty": (pl.Series([None]), None),
}


@pytest.mark.parametrize("kind", KINDS)
def test_a_value_of_any_type_is_sent_and_replayed_as_the_same(tmp_path: Path, kind: str) -> None:
    cells, expected = KINDS[kind]
    frame, path = pl.DataFrame({"id": ["a"], "x": cells}), tmp_path / "rows.parquet"
    frame.write_parquet(path)

    sent = read_rows(str(path), types=of_events(SPECIFICATION.canonical))

    assert sent == [{"id": "a", "x": expected}]
    assert type(sent[0]["x"]) is type(expected)
    assert [columns_of(each, SPECIFICATION).row(0) for each in (frame, path)] == sent * 2


def test_bytes_in_a_column_that_the_pipeline_takes_are_refused_by_name(tmp_path: Path) -> None:
    frame, path = pl.DataFrame({"id": ["a"], "shop": [b"a"]}), tmp_path / "rows.parquet"
    frame.write_parquet(path)

    for history in (frame, path):
        with pytest.raises(Misconfigured, match="the column `shop` holds bytes"):
            columns_of(history, SPECIFICATION)
    with pytest.raises(Misconfigured, match=r"rows\.parquet: the column `shop` holds bytes"):
        read_rows(str(path), types=of_events(SPECIFICATION.canonical))


def test_a_small_float_with_places_is_no_whole_number_in_a_replay() -> None:
    frame = pl.DataFrame({"shop": ["a"], "visits": pl.Series([0.5], dtype=pl.Float16)})

    assert checked(columns_of(frame, SPECIFICATION), SPECIFICATION).problems[0].field == "visits"
