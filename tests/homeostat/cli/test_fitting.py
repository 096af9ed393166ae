"""`send` and `labels` of a file that is not what was meant: said before a row of it is sent."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from homeostat.cli.fitting import fitting, line_numbers
from homeostat.rows import read_rows
from shared.errors import Misconfigured
from shared.topics import RAW_DATA
from tests.homeostat.cli.conftest import Call
from tests.services.gateway.running import KEY, Running


def test_a_file_that_fits_is_sent_whatever_separates_its_fields_and_that_is_said(
    ask: Call, gateway: Running, tmp_path: Path
) -> None:
    file = tmp_path / "rows.csv"
    file.write_text("id;nswprice;vicprice\na;1;0.5\n")

    shown = ask("send", "elec2", str(file))

    assert (shown.status, [record.id for record in gateway.written(RAW_DATA)]) == (0, ["a"])
    assert "has semicolons between its fields" in shown.err


def test_columns_that_the_pipeline_does_not_take_are_said_once(ask: Call, gateway: Running, tmp_path: Path) -> None:
    file = tmp_path / "rows.csv"
    file.write_text("id,nswprice,vicprice,colour\na,1,0.5,red\nb,1,0.5,red\n")

    shown = ask("send", "elec2", str(file), "--batch", "1")

    assert (shown.status, shown.err.count("ignored columns: colour")) == (0, 1)


@pytest.mark.parametrize(
    ("content", "says"),
    [
        (b"a,1,0.5\nb,2,0.5\n", "has none of the inputs that elec2 takes: it has a, 1, 0.5; elec2 takes nswprice"),
        (b"id,colour\na,red\n", "it has colour beside the id (id); elec2 takes nswprice"),
        (b"id\na\nb\n", "it has nothing else beside the id (id)"),
        (b"colour;size\nred;1\n", "it has colour, size"),
        (b"id,up\na,true\n", "holds labels, and events are expected: its columns are id, up, those of events of elec2"),
        (b"id,up\na,true\n", "Nothing was sent; to send them as labels: homeostat labels elec2 "),
        (b"\x7fELF\x02\x01" + bytes(500), "is not what its name says"),
        (b"id,nswprice,vicprice\n,1,1\n\n,1,1\n", "2 of 2 rows have no id in the column 'id': lines 2, 4."),
    ],
)
def test_a_file_that_cannot_be_meant_is_named_before_a_row_of_it_is_sent(
    ask: Call, gateway: Running, tmp_path: Path, content: bytes, says: str
) -> None:
    file = tmp_path / "rows.csv"
    file.write_bytes(content)

    shown = ask("send", "elec2", str(file))

    assert shown.status == 1
    assert says in shown.err
    assert gateway.written(RAW_DATA) == []


def test_of_many_rows_without_an_id_the_first_are_named_and_the_rest_counted(ask: Call, tmp_path: Path) -> None:
    file = tmp_path / "rows.csv"
    file.write_text("id,nswprice,vicprice\n" + ",1,1\n" * 15)

    assert "lines 2, 3, 4, 5, 6, 7, 8, 9, 10, 11 and 5 more" in ask("send", "elec2", str(file)).err


def test_rows_without_an_id_are_refused_by_their_lines_and_the_others_sent(
    ask: Call, gateway: Running, tmp_path: Path
) -> None:
    file = tmp_path / "rows.csv"
    file.write_text("id,nswprice,vicprice\na,1,1\n,1,1\nb,99,1\n\n,1,1\nc,1,1\n")

    shown = ask("send", "elec2", str(file), "--batch", "4")

    assert shown.status == 1
    assert [record.id for record in gateway.written(RAW_DATA)] == ["a", "b", "c"]
    assert "5 rows: 2 accepted, 3 rejected (2 bad-id, 1 range)" in shown.out
    lines = [line.split(":")[0].strip() for line in shown.out.splitlines()[1:]]
    assert lines == ["line 3", "line 4 (id b)", "line 6"]
    assert "line 6: there is no id in the column 'id'" in shown.out


def test_a_row_without_an_id_among_those_that_come_one_by_one_is_named_by_its_number(gateway: Running) -> None:
    row = '{"id": "%s", "nswprice": 1, "vicprice": 1}\n'
    words = ["send", "elec2", "-", "--no-wait", "--url", gateway.url, "--api-key", KEY]

    ended = subprocess.run(
        [sys.executable, "-m", "homeostat", *words], input=row % "a" + row % " ", capture_output=True, text=True,
        check=False,
    )  # fmt: skip

    assert ended.returncode == 1
    assert "row 2: there is no id in the column 'id'" in ended.stdout


def test_labels_without_an_id_are_refused_by_their_lines_and_the_others_sent(
    ask: Call, gateway: Running, tmp_path: Path
) -> None:
    file = tmp_path / "labels.csv"
    file.write_text("name,up\na,true\n,false\n")

    shown = ask("labels", "elec2", str(file), "--id-column", "name")

    assert shown.status == 1
    assert "line 3: there is no id in the column 'name'" in shown.out
    assert [record.id for record in gateway.written(RAW_DATA)] == ["a"]


def test_a_row_under_the_id_of_another_is_told_with_the_line_of_that_one(
    ask: Call, gateway: Running, tmp_path: Path
) -> None:
    file = tmp_path / "rows.csv"
    file.write_text("id,nswprice,vicprice\nx,1,1\ny,1,1\n,1,1\na,1,1\na,2,1\n")

    shown = ask("send", "elec2", str(file), "--batch", "3")
    again = ask("send", "elec2", str(file), "--batch", "5")

    assert "line 6 (id a): id: the id 'a' already stands for line 5, which has other values" in shown.out
    assert "line 6 (id a): id: the id 'a' already stands for line 5, which has other values" in again.out


@pytest.mark.parametrize(
    ("content", "says"),
    [
        (
            "id,nswprice,vicprice\na,1,1\n",
            "holds events, and labels are expected: its columns are id, nswprice, vicprice",
        ),
        (
            "id,nswprice,vicprice\na,1,1\n",
            "Nothing was sent; as events: homeostat send elec2 ",
        ),
        ("row,truth\na,true\n", "has no column of ids: its columns are row, truth"),
        ("id,truth\na,true\n", "has no column of labels: its columns are id, truth"),
        ("id,truth\na,true\n", "--id-column NAME --label-column NAME"),
    ],
)
def test_a_file_without_labels_is_told_from_one_whose_columns_have_other_names(
    ask: Call, gateway: Running, tmp_path: Path, content: str, says: str
) -> None:
    file = tmp_path / "labels.csv"
    file.write_text(content)

    shown = ask("labels", "elec2", str(file))

    assert shown.status == 1
    assert says in shown.err
    assert gateway.written(RAW_DATA) == []


@pytest.mark.parametrize("command", ["send", "labels", "predict", "backtest"])
def test_a_file_in_the_place_of_the_pipeline_is_named(ask: Call, tmp_path: Path, command: str) -> None:
    shown = ask(command, str(tmp_path / "rows.csv"), "elec2")

    assert (shown.status, "rows.csv is no pipeline: first comes" in shown.err) == (1, True)


def test_labels_that_are_no_objects_are_named(ask: Call, tmp_path: Path) -> None:
    file = tmp_path / "labels.json"
    file.write_text('[{"id": "a", "up": true}, 7]')

    assert "a row is a JSON object, and these are none: row 2" in ask("labels", "elec2", str(file)).err


def test_a_row_whose_line_cannot_be_told_is_named_by_its_number(tmp_path: Path) -> None:
    file = tmp_path / "rows.csv"
    file.write_text('id,x\na,1\n"",\n')

    assert len(read_rows(str(file))) == 2
    assert line_numbers(str(file), [1]) == ("row", [2])


def test_the_first_line_of_a_stream_without_an_id_does_not_refuse_the_rows_to_come() -> None:
    specification = {"name": "p", "schema": {"id": {}, "x": {}}, "id": "id", "target": None}
    parts = [[{"id": "", "x": 1}], [{"id": "a", "x": 2}]]

    assert list(fitting(specification, "-", parts, print)) == parts
    with pytest.raises(Misconfigured, match="200 of 200 rows have no id"):
        fitting(specification, "-", [parts[0] * 200], print)
