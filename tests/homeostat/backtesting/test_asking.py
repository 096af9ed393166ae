"""A history in any form has the same ids and values."""

from __future__ import annotations

import json
from pathlib import Path

import polars as pl

from homeostat.backtesting.asking import columns_of
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
