from __future__ import annotations

import gzip
import io
import json
import os
from collections.abc import Callable
from pathlib import Path

import polars as pl
import pytest

from homeostat.column_types import ColumnTypes, of_events, of_labels
from homeostat.rows import lines_in, parts_in, read_rows
from shared.errors import Misconfigured


def test_one_cell_out_of_place_leaves_the_other_rows_of_a_csv_as_they_are(tmp_path: Path) -> None:
    file = tmp_path / "rows.csv"
    file.write_text("id,day,price,name\na,1,0.5,x\nb,two,1.5,\nc,3,dear,7\nd,4,2,z\n")

    assert read_rows(str(file)) == [
        {"id": "a", "day": 1, "price": 0.5, "name": "x"},
        {"id": "b", "day": "two", "price": 1.5, "name": None},
        {"id": "c", "day": 3, "price": "dear", "name": "7"},
        {"id": "d", "day": 4, "price": 2, "name": "z"},
    ]


def test_lines_of_json_are_taken_as_they_are(tmp_path: Path) -> None:
    file = tmp_path / "rows.ndjson"
    rows = [{"id": "a", "x": 1}, {"id": "b", "x": "one", "y": [1]}]
    file.write_text("\n".join(map(json.dumps, rows)) + "\n\n")

    assert read_rows(str(file)) == rows


def test_a_line_that_is_no_json_is_named_by_its_number(tmp_path: Path) -> None:
    file = tmp_path / "rows.ndjson"
    file.write_text('{"id": "a"}\n{"id": \n')

    with pytest.raises(Misconfigured, match=r"rows\.ndjson:2: the line is not JSON"):
        read_rows(str(file))


def test_lines_are_taken_from_standard_input_before_the_next_have_come() -> None:
    reads, writes = os.pipe()
    with os.fdopen(reads, "rb") as stdin, os.fdopen(writes, "wb", buffering=0) as source:
        parts = parts_in("-", stdin)
        source.write(b' \n{"id": "a"}\n{"id":')
        first = next(parts)
        source.write(b' "b"}\n{"id": "c"}')
        second = next(parts)
        source.close()

        assert [first, second, *parts] == [[{"id": "a"}], [{"id": "b"}], [{"id": "c"}]]


def test_what_came_before_a_broken_line_is_given() -> None:
    stdin = io.BufferedReader(io.BytesIO(b'{"id": "a"}\n{"id": \n{"id": "c"}\n'))
    parts = parts_in("-", stdin)

    assert next(parts) == [{"id": "a"}]
    with pytest.raises(Misconfigured, match=r"standard input:2: the line is not JSON"):
        next(parts)


@pytest.mark.parametrize("content", [b"id,x\na,1\nb,2\n", b'[{"id": "a", "x": 1}, {"id": "b", "x": 2}]'])
def test_what_is_no_line_of_json_is_taken_from_standard_input_whole(content: bytes) -> None:
    stdin = io.BufferedReader(io.BytesIO(content))

    assert list(parts_in("-", stdin)) == [[{"id": "a", "x": 1}, {"id": "b", "x": 2}]]


def test_nothing_on_standard_input_is_an_error() -> None:
    with pytest.raises(Misconfigured, match="standard input is empty"):
        next(parts_in("-", io.BufferedReader(io.BytesIO(b" \n"))))


def test_times_of_a_parquet_file_are_text_as_json_has_it(tmp_path: Path) -> None:
    file = tmp_path / "rows.parquet"
    pl.DataFrame({"at": ["2026-01-31 12:00:00"]}).with_columns(pl.col("at").str.to_datetime()).write_parquet(file)

    assert read_rows(str(file)) == [{"at": "2026-01-31T12:00:00.000000Z"}]


@pytest.mark.parametrize("name", ["rows.parquet", "rows.csv"])
def test_bytes_that_are_something_else_are_refused_by_path(tmp_path: Path, name: str) -> None:
    file = tmp_path / name
    file.write_bytes(b"\x89PNG\r\n\x1a\n" + bytes(range(256)) * 20)

    with pytest.raises(Misconfigured, match=rf"{name} is not what its name says"):
        read_rows(str(file))


@pytest.mark.parametrize(
    "text",
    ["# About\n\nSome text, with commas, here.\n", "one line\nanother\n", "\x00\x01"],
)
def test_a_file_that_holds_no_rows_is_told_what_kinds_are_taken_in_words_of_our_own(tmp_path: Path, text: str) -> None:
    file = tmp_path / "README.md"
    file.write_text(text)

    with pytest.raises(Misconfigured) as refused:
        read_rows(str(file))

    said = str(refused.value)
    assert said.startswith(f"{file} is no file of rows: .csv, .parquet and .ndjson")
    assert not any(word in said for word in ("polars", "schema", "infer", "dtype"))


def test_a_file_of_another_suffix_is_told_by_its_content(tmp_path: Path) -> None:
    rows = [{"id": "a", "x": 1}, {"id": "b", "x": 2}]
    pl.DataFrame(rows).write_parquet(tmp_path / "rows.part")
    pl.DataFrame(rows).write_csv(tmp_path / "rows.txt")
    (tmp_path / "rows.log").write_text("\n".join(map(json.dumps, rows)))
    (tmp_path / "rows").write_text(json.dumps(rows))

    for name in ("rows.part", "rows.txt", "rows.log", "rows"):
        assert read_rows(str(tmp_path / name)) == rows


def test_a_line_of_a_csv_with_too_many_fields_is_named_by_its_number(tmp_path: Path) -> None:
    file = tmp_path / "rows.csv"
    file.write_text("id,x\na,1\nb,2,3\n")

    with pytest.raises(Misconfigured, match=r"rows\.csv:3: the line has 3 fields, the first line names 2"):
        read_rows(str(file))


@pytest.mark.parametrize("name", ["rows.csv", "rows.ndjson", "rows"])
def test_an_empty_file_gives_no_rows_to_send(tmp_path: Path, name: str) -> None:
    file = tmp_path / name
    file.write_text("")

    with pytest.raises(Misconfigured, match="is empty"):
        read_rows(str(file))


@pytest.mark.parametrize(("separator", "word"), [(";", "semicolons"), ("\t", "tabs")])
def test_other_separators_than_commas_are_taken_and_that_is_said(tmp_path: Path, separator: str, word: str) -> None:
    file, said = tmp_path / "rows.csv", list[str]()
    file.write_text("id,x,name\na,1,b\n".replace(",", separator))

    assert read_rows(str(file), said.append) == [{"id": "a", "x": 1, "name": "b"}]
    assert said == [f"{file} has {word} between its fields, and was read so"]


def test_where_semicolons_separate_numbers_may_have_commas(tmp_path: Path) -> None:
    file = tmp_path / "rows.csv"
    file.write_text("id;price;name\na;1,5;1,5\nb;-2;x,y\nc;dear;z\n")

    assert read_rows(str(file)) == [
        {"id": "a", "price": 1.5, "name": "1,5"},
        {"id": "b", "price": -2, "name": "x,y"},
        {"id": "c", "price": "dear", "name": "z"},
    ]


def test_points_separate_thousands_where_commas_stand_in_decimals(tmp_path: Path) -> None:
    file = tmp_path / "rows.csv"
    file.write_text("id;price;stock;at\na;1.234,56;1.000;01.02.2026\nb;2,5;-2.500;03.02.2026\nc;1.000;7;04.02.2026\n")

    assert read_rows(str(file)) == [
        {"id": "a", "price": 1234.56, "stock": 1000, "at": "01.02.2026"},
        {"id": "b", "price": 2.5, "stock": -2500, "at": "03.02.2026"},
        {"id": "c", "price": 1000, "stock": 7, "at": "04.02.2026"},
    ]


def test_a_point_of_two_meanings_is_refused_before_a_row_is_read(tmp_path: Path) -> None:
    file = tmp_path / "rows.csv"
    file.write_text("id;price;stock\na;1,5;1.000\nb;2,5;2.5\n")

    with pytest.raises(Misconfigured, match=r"rows\.csv: .* cannot be told in the column `stock`, as in 2.5, 1.000: "):
        read_rows(str(file))


def test_lines_that_end_in_carriage_returns_alone_are_lines(tmp_path: Path) -> None:
    file = tmp_path / "rows.csv"
    file.write_bytes(b"id,x\ra,1\r\rb,2\r")

    assert read_rows(str(file)) == [{"id": "a", "x": 1}, {"id": "b", "x": 2}]
    assert lines_in(str(file)) == [2, 4]


@pytest.mark.parametrize("names", ["id," + "x" * 200_000, "id\r,x"])
@pytest.mark.parametrize("read_file", [read_rows, lines_in])
def test_a_first_line_that_cannot_name_columns_is_refused_by_its_number(
    tmp_path: Path, names: str, read_file: Callable[[str], object]
) -> None:
    file = tmp_path / "rows.csv"
    file.write_bytes(f"\n{names}\na,1\n".encode())

    with pytest.raises(Misconfigured, match=r"rows\.csv:2: the first line must name the columns, .*: write a line of"):
        read_file(str(file))


@pytest.mark.parametrize(("cell", "lines"), [("x" * 200_000, [2, 3]), ("a\rb", None)])
def test_rows_are_read_also_where_a_cell_leaves_no_way_to_tell_their_lines(
    tmp_path: Path, cell: str, lines: list[int] | None
) -> None:
    file = tmp_path / "rows.csv"
    file.write_bytes(f"id,x\na,{cell}\nb,y\n".encode())

    assert read_rows(str(file)) == [{"id": "a", "x": cell}, {"id": "b", "x": "y"}]
    assert lines_in(str(file)) == lines


@pytest.mark.parametrize("content", [b"\x7fELF\x02\x01" + bytes(500), "id,x\na,1\n".encode("utf-16")])
def test_bytes_of_which_csv_would_make_no_row_are_named(tmp_path: Path, content: bytes) -> None:
    file = tmp_path / "rows.csv"
    file.write_bytes(content)

    with pytest.raises(Misconfigured, match="is not what its name says"):
        read_rows(str(file))


def test_a_line_of_names_without_a_row_below_it_is_an_error(tmp_path: Path) -> None:
    file = tmp_path / "rows.csv"
    file.write_text("id,x\n\n")

    with pytest.raises(Misconfigured, match="has no row: there is nothing below its first line"):
        read_rows(str(file))


def test_a_csv_that_is_compressed_is_read_and_a_damaged_one_named(tmp_path: Path) -> None:
    file, damaged = tmp_path / "rows.csv.gz", tmp_path / "damaged.csv.gz"
    packed = gzip.compress(b"id,x\na,1\n")
    file.write_bytes(packed)
    damaged.write_bytes(packed[:-6])

    assert read_rows(str(file)) == [{"id": "a", "x": 1}]
    with pytest.raises(Misconfigured, match="compressed with gzip is damaged"):
        read_rows(str(damaged))


@pytest.mark.parametrize(
    ("name", "text", "lines"),
    [
        ("rows.csv", 'id,x\na,1\n\n"b\nc",2\nd,3\n', [2, 4, 6]),
        ("rows.ndjson", '{"id": "a"}\n\n{"id": "b"}\n', [1, 3]),
        ("rows.json", '[{"id": "a"}]', None),
    ],
)
def test_each_row_has_the_line_on_which_it_begins(
    tmp_path: Path, name: str, text: str, lines: list[int] | None
) -> None:
    file = tmp_path / name
    file.write_text(text)

    assert lines_in(str(file)) == lines
    assert lines is None or len(read_rows(str(file))) == len(lines)


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
