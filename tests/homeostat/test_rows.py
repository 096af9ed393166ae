from __future__ import annotations

import gzip
import io
import json
import os
from collections.abc import Callable
from pathlib import Path

import polars as pl
import pytest

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

    with pytest.raises(Misconfigured, match=r"rows\.ndjson:2: the line is not JSON.*no row of the file was taken"):
        read_rows(str(file))


@pytest.mark.parametrize("line", ['3,"x', '"3"3,x'], ids=["not closed", "within"])
def test_a_quote_that_breaks_csv_is_told_by_its_line(tmp_path: Path, line: str) -> None:
    file = tmp_path / "rows.csv"
    file.write_text(f"a,b\n1,2\n{line}\n4,5\n6,7\n")

    with pytest.raises(Misconfigured, match=r"rows\.csv:3: a quote is not closed, or stands within a field"):
        read_rows(str(file))


def test_a_folder_is_not_called_missing(tmp_path: Path) -> None:
    with pytest.raises(Misconfigured, match="is a folder: name the file in it"):
        read_rows(str(tmp_path))


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
