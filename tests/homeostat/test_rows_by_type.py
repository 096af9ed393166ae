"""Rows of a file whose columns have the types of a specification."""

from __future__ import annotations

import gzip
import io
import json
from pathlib import Path

import polars as pl
import pytest

from homeostat.column_types import ColumnTypes, of_events, of_labels
from homeostat.rows import parts_in, read_rows
from shared.errors import Misconfigured

SHOP = {
    "schema": {
        "order": {"type": "string"},
        "zip": {"type": "string"},
        "price": {"type": "number"},
        "count": {"type": "integer"},
        "at": {"type": "timestamp"},
        "class": {"type": "string"},
    },
    "id": "order",
    "target": "class",
}


def read(folder: Path, text: str, types: ColumnTypes) -> list[dict[str, object]]:
    file = folder / "rows.csv"
    file.write_text(text)
    return read_rows(str(file), types=types)


@pytest.mark.parametrize("cell", ["001", "01234", "1e5", "0x1", "NaN", "true", "+1", "1.50", "inf", " 7", "1_000"])
def test_a_field_of_text_is_read_as_it_stands(tmp_path: Path, cell: str) -> None:
    text = f"order,zip,price,class\n{cell},{cell},1,{cell}\n2,2,2,2\n"

    first, second = read(tmp_path, text, of_events(SHOP))

    assert first == {"order": cell, "zip": cell, "price": 1, "class": cell}
    assert second == {"order": "2", "zip": "2", "price": 2, "class": "2"}


@pytest.mark.parametrize("kind", ["string", "integer", "number"])
def test_an_id_keeps_its_zeros_whatever_the_schema_calls_it(tmp_path: Path, kind: str) -> None:
    own = {"schema": {"order": {"type": kind}}, "id": "order"}

    assert read(tmp_path, "id,x\n001,1\n", of_events({"schema": {"id": {"type": kind}}})) == [{"id": "001", "x": 1}]
    assert read(tmp_path, "order,x\n001,1\n", of_events(own)) == [{"order": "001", "x": 1}]


def test_a_field_that_is_only_called_id_is_what_its_schema_says(tmp_path: Path) -> None:
    other = {"schema": {"order": {"type": "string"}, "id": {"type": "integer"}}, "id": "order"}

    assert read(tmp_path, "order,id\n001,002\n", of_events(other)) == [{"order": "001", "id": 2}]


def test_what_is_no_number_stays_text_in_a_column_of_numbers_however_many_there_are(tmp_path: Path) -> None:
    cells = ["7", "dear", "0x1", "NaN", "1e400", "1_000", "true", "2.5", "003", "cheap", "x"]
    text = "order,price,count\n" + "".join(f"a,{cell},{cell}\n" for cell in cells)

    rows = read(tmp_path, text, of_events(SHOP))

    found = [7, "dear", "0x1", None, "1e400", "1_000", "true", 2.5, 3, "cheap", "x"]
    assert [row["price"] for row in rows] == found
    assert [row["count"] for row in rows] == found


@pytest.mark.parametrize("cell", ["NaN", "inf", "-inf"])
def test_what_json_cannot_carry_stays_text_in_a_column_that_has_numbers_alone_beside_it(
    tmp_path: Path, cell: str
) -> None:
    assert [row["x"] for row in read(tmp_path, f"id,x\na,1.5\nb,{cell}\nc,2\n", ColumnTypes())] == [1.5, cell, 2.0]


def test_numbers_with_a_space_before_one_of_them_are_of_one_type_as_others_are(tmp_path: Path) -> None:
    rows = read(tmp_path, "order,price\na, 1\nb,2\n", of_events(SHOP))

    assert [repr(row["price"]) for row in rows] == ["1.0", "2.0"]


def test_where_semicolons_separate_text_keeps_its_comma(tmp_path: Path) -> None:
    rows = read(tmp_path, "order;zip;price\n1,5;01,5;1,5\n", of_events(SHOP))

    assert rows == [{"order": "1,5", "zip": "01,5", "price": 1.5}]


def test_points_separate_thousands_in_a_column_of_numbers_in_which_those_are_the_exception(tmp_path: Path) -> None:
    rows = read(tmp_path, "order;price\na;n/a\nb;-\nc;?\nd;1,5\ne;1.000\n", of_events(SHOP))

    assert [row["price"] for row in rows] == [None, None, None, 1.5, 1000.0]


@pytest.mark.parametrize("mark", ["-", "--", "NA", "n/a", "#N/A", "NaN", "null", "?", " None ", '""'])
def test_a_mark_of_missing_is_an_empty_cell_where_no_text_is_expected_and_its_row_stays(
    tmp_path: Path, mark: str
) -> None:
    types = of_events({"schema": SHOP["schema"] | {"sold": {"type": "boolean"}}})

    rows = read(tmp_path, f"zip,price,at,sold\n7,1.5,2024-01-02,True\n{mark},{mark},{mark},{mark}\n", types)

    assert rows[0] == {"zip": "7", "price": 1.5, "at": "2024-01-02T00:00:00.000000Z", "sold": True}
    assert rows[1] == {"zip": mark.strip('"'), "price": None, "at": None, "sold": None}


def test_a_row_of_marks_alone_is_a_row_and_a_blank_line_none(tmp_path: Path) -> None:
    assert read(tmp_path, "price,count\n-,NA\n\n1,2\n", of_events(SHOP)) == [
        {"price": None, "count": None},
        {"price": 1, "count": 2},
    ]


def test_what_is_no_truth_stays_text_beside_those_that_are(tmp_path: Path) -> None:
    types = of_events({"schema": {"sold": {"type": "boolean"}}})

    assert [row["sold"] for row in read(tmp_path, "x,sold\n1,true\n2,FALSE\n3,maybe\n", types)] == [
        True,
        False,
        "maybe",
    ]


def test_what_is_no_time_of_one_meaning_stays_text_beside_those_that_are(tmp_path: Path) -> None:
    text = "order,at\na,02.01.2024 07:13\nb,soon\nc,1704179580\nd,02/01/2024\n"

    rows = read(tmp_path, text, of_events(SHOP))

    assert [row["at"] for row in rows] == ["2024-01-02T07:13:00.000000Z", "soon", "1704179580", "02/01/2024"]


def test_seconds_since_1970_are_times_as_they_stand(tmp_path: Path) -> None:
    assert read(tmp_path, "order,at\na,1704179580\n", of_events(SHOP)) == [{"order": "a", "at": 1704179580}]


@pytest.mark.parametrize(
    ("content", "says"),
    [
        (
            "id,größe\na,1\n".encode("cp1252"),
            "(byte 5): it looks like text of Windows (cp1252) or Latin 1: save it as UTF-8",
        ),
        ("id,x\na,1\n".encode("utf-16"), "it looks like text in UTF-16: save it as UTF-8"),
        (b"\x89PNG\r\n\x1a\n\0\0", "it looks like a PNG picture: it has no rows"),
        (b"PK\x03\x04\xff\0", "it looks like a zip archive, as workbooks of Excel are: save its table as CSV (UTF-8)"),
        (gzip.compress(b"\x89PNG\r\n\x1a\n\0\0"), "it looks like a PNG picture"),
        (b"PAR1\xff\0", "it looks like Parquet: name it .parquet"),
        (b"id,x\na,\0\n", "save its table as CSV (UTF-8)"),
        (b"id,x\na,\x01\xff\n", "save its table as CSV (UTF-8)"),
    ],
)
def test_what_is_no_text_is_told_by_what_it_looks_like_and_what_to_do(
    tmp_path: Path, content: bytes, says: str
) -> None:
    file = tmp_path / "rows.csv"
    file.write_bytes(content)

    with pytest.raises(Misconfigured) as refused:
        read_rows(str(file))

    assert says in str(refused.value)


def test_blank_lines_are_no_rows_where_all_is_text_too(tmp_path: Path) -> None:
    assert read(tmp_path, "order,zip\n01,02\n\n,\n03,\n", of_events(SHOP)) == [
        {"order": "01", "zip": "02"},
        {"order": "03", "zip": None},
    ]


@pytest.mark.parametrize(("id_column", "label_column"), [("order", "class"), ("id", "label"), ("which", "truth")])
def test_labels_are_read_as_the_target_is_and_their_ids_as_those_of_the_rows(
    tmp_path: Path, id_column: str, label_column: str
) -> None:
    text = f"{id_column},{label_column}\n001,01\n"
    whole = {"schema": {"order": {"type": "integer"}, "class": {"type": "number"}}, "id": "order", "target": "class"}

    assert read(tmp_path, text, of_labels(SHOP, id_column, label_column)) == [{id_column: "001", label_column: "01"}]
    assert read(tmp_path, text, of_labels(whole, id_column, label_column)) == [{id_column: "001", label_column: 1}]


def test_files_with_types_keep_them_but_for_ids_that_are_whole_numbers(tmp_path: Path) -> None:
    rows = [{"order": 7, "zip": 1, "price": 2, "class": "01"}, {"order": 8, "zip": 2, "price": 3, "class": "02"}]
    (tmp_path / "rows.ndjson").write_text("\n".join(map(json.dumps, rows)))
    pl.DataFrame(rows).write_parquet(tmp_path / "rows.parquet")
    wanted = [row | {"order": str(row["order"])} for row in rows]
    stdin = io.BufferedReader(io.BytesIO((tmp_path / "rows.ndjson").read_bytes()))

    assert read_rows(str(tmp_path / "rows.ndjson"), types=of_events(SHOP)) == wanted
    assert read_rows(str(tmp_path / "rows.parquet"), types=of_events(SHOP)) == wanted
    assert [row for part in parts_in("-", stdin, types=of_events(SHOP)) for row in part] == wanted
