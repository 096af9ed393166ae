"""What `pipeline init` proposes for a file, the rows of that file keep: they can be sent, and replayed."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import polars as pl
import pytest

from homeostat.backtesting.asking import columns_of
from homeostat.backtesting.columns import checked
from homeostat.column_types import of_events
from homeostat.rows import read_rows
from shared.pipeline.contract import Contract
from shared.pipeline.inference import specification_text
from shared.pipeline.load import parse
from shared.pipeline.problems import Problem
from shared.pipeline.specification import Specification

ROWS = range(300)
TIMES: dict[str, Callable[[int], str]] = {
    "german": lambda n: f"{n % 28 + 1:02}.{n % 12 + 1:02}.2024 {n % 24:02}:{n % 60:02}",
    "german days": lambda n: f"{n % 28 + 1}.{n % 12 + 1}.2024",
    "german with seconds": lambda n: f"{n % 28 + 1:02}.01.2024 {n % 24}:05:{n % 60:02}",
    "iso": lambda n: f"2024-{n % 12 + 1:02}-{n % 28 + 1:02}",
    "iso without a zone": lambda n: f"2024-01-{n % 28 + 1:02} {n % 24:02}:{n % 60:02}:00",
    "iso in a zone": lambda n: f"2024-01-{n % 28 + 1:02}T{n % 24:02}:{n % 60:02}:00.5+01:00",
    "year first": lambda n: f"2024/{n % 12 + 1}/{n % 28 + 1} {n % 24}:00",
    "american": lambda n: f"{n % 12 + 1:02}/{n % 28 + 1:02}/2024 00:00",
    "british": lambda n: f"{n % 28 + 1:02}/{n % 12 + 1:02}/2024",
    "dashes": lambda n: f"{n % 12 + 1:02}-{n % 28 + 1:02}-2024",
    "either": lambda n: f"{n % 12 + 1:02}/{n % 11 + 1:02}/2024",
    "both": lambda n: ("01/13/2024", "13/01/2024")[n % 2],
    "some missing": lambda n: f"{n % 28 + 1:02}.01.2024" if n % 5 else "-",
    "one word": lambda n: f"{n % 28 + 1:02}.01.2024" if n else "soon",
    "no such day": lambda n: f"{n % 30 + 1:02}.02.2024",
}
CELLS: dict[str, Callable[[int], str]] = {
    "dashes": lambda n: "-" if n % 13 == 1 else str(n * 0.5),
    "whole": lambda n: ("NA", "n/a", " ?")[n % 3] if n % 4 == 1 else str(n),
    "not a number": lambda n: "NaN" if n % 7 == 1 else str(n * 0.1),
    "mostly missing": lambda n: "null" if n % 9 else str(n),
    "empty": lambda n: "" if n % 3 else str(n),
    "truths": lambda n: ("true", "False", "none")[n % 3],
    "words": lambda n: ("NA", "EU", "null")[n % 3],
    "one word": lambda n: "dear" if n == 200 else str(n),
    "codes": lambda n: "-" if n == 7 else f"{n:05}",
    "spaces": lambda n: f" {n}",
    "signs": lambda n: f"+{n}",
    "comma": lambda n: f'"{n},5"',
    "huge": lambda n: str(10**25 + n),
}


def refused(path: Path, specification: Specification) -> list[Problem]:
    contract = Contract(specification)
    checks = [contract.check_row(row) for row in read_rows(str(path), types=of_events(specification.canonical))]
    assert len(checks) == len(ROWS)
    return [each for each in checks if isinstance(each, Problem)]


def proposed(path: Path) -> Specification:
    return parse(specification_text(path, "good").encode(), "proposed.yaml")


def csv_of(folder: Path, cell: Callable[[int], str], separator: str) -> Path:
    path = folder / "rows.csv"
    lines = [separator.join(["x", "own", "good"]), *(separator.join([f"{n % 9}", cell(n), f"{n % 2}"]) for n in ROWS)]
    path.write_text("\n".join(lines))
    return path


@pytest.mark.parametrize("separator", [",", ";"])
@pytest.mark.parametrize("cell", [*TIMES.values(), *CELLS.values()], ids=[*TIMES, *(f"cells {name}" for name in CELLS)])
def test_each_row_of_a_file_keeps_the_contract_proposed_for_it(
    tmp_path: Path, cell: Callable[[int], str], separator: str
) -> None:
    path = csv_of(tmp_path, cell, separator)

    specification = proposed(path)

    assert refused(path, specification) == []
    assert checked(columns_of(path, specification), specification).fits.all()


@pytest.mark.parametrize("cell", ["inf", "-Infinity", "1e400"])
def test_rows_that_are_refused_all_the_same_are_announced(tmp_path: Path, cell: str) -> None:
    path = csv_of(tmp_path, lambda n: cell if n == 7 else f"{n}.5", ",")

    assert len(refused(path, proposed(path))) == 1
    assert "# 1 is no finite number: such rows are refused; seen: 0.5 to 299.5" in specification_text(path, "good")


@pytest.mark.parametrize("suffix", ["ndjson", "parquet"])
def test_so_does_each_row_of_a_file_that_has_types(tmp_path: Path, suffix: str) -> None:
    path = tmp_path / f"rows.{suffix}"
    columns = {name: [TIMES[name](n) for n in ROWS] for name in ("iso", "iso without a zone", "german", "american")}
    frame = pl.DataFrame({**columns, "x": [n * 0.5 if n % 3 else None for n in ROWS], "good": [n % 2 for n in ROWS]})
    getattr(frame, f"write_{suffix}")(path)

    assert refused(path, proposed(path)) == []


def test_a_time_in_json_is_one_where_it_is_written_as_it_is_sent(tmp_path: Path) -> None:
    path = tmp_path / "rows.ndjson"
    rows = [{"at": TIMES["iso in a zone"](n), "on": TIMES["german"](n), "x": n, "good": n % 2} for n in ROWS]
    path.write_text("\n".join(map(json.dumps, rows)))

    specification = proposed(path)

    assert (specification.timestamp, specification.fields["on"].type) == ("at", "string")
    assert refused(path, specification) == []


def test_numbers_among_texts_of_json_are_announced_as_refused(tmp_path: Path) -> None:
    path = tmp_path / "rows.ndjson"
    rows = [{"x": n % 9, "own": "-" if n % 4 else n, "good": n % 2} for n in ROWS]
    path.write_text("\n".join(map(json.dumps, rows)))

    assert len(refused(path, proposed(path))) == 75
    assert "# 75 of the cells are no text: such rows are refused" in specification_text(path, "good")


@pytest.mark.parametrize(
    ("cell", "first", "remark"),
    [
        ("german", "2024-01-01T00:00:00.000000Z", "# read as day.month.year, no zone: taken as UTC"),
        ("iso without a zone", "2024-01-01T00:00:00.000000Z", "# no zone: taken as UTC"),
        ("iso in a zone", "2023-12-31T23:00:00.500000Z", ""),
        ("american", "2024-01-01T00:00:00.000000Z", "# read as month/day/year, no zone: taken as UTC"),
        ("some missing", None, "# read as day.month.year, no zone: taken as UTC; 60 cells are '-': read as missing"),
    ],
)
def test_times_of_one_meaning_are_the_rows_times(tmp_path: Path, cell: str, first: str | None, remark: str) -> None:
    path, said = csv_of(tmp_path, TIMES[cell], ","), list[str]()

    specification = proposed(path)
    rows = read_rows(str(path), said.append, of_events(specification.canonical))

    assert (specification.timestamp, rows[0]["own"]) == ("own", first)
    assert specification_text(path, "good").partition("own: {")[2].partition("}")[2].splitlines()[0].strip() == remark
    way = remark.removeprefix("# ").partition(";")[0]
    assert said == ([f"{path}: column `own`: {way}"] if way else [])


@pytest.mark.parametrize("cell", ["either", "both"])
def test_dates_of_two_meanings_are_no_times_and_that_is_said(tmp_path: Path, cell: str) -> None:
    path, said = csv_of(tmp_path, TIMES[cell], ","), list[str]()

    specification = proposed(path)
    wanted = of_events({"schema": {"own": {"type": "timestamp"}}})
    rows = read_rows(str(path), said.append, wanted)

    assert (specification.timestamp, specification.fields["own"].type) == (None, "string")
    assert "own" not in specification.feature_names
    assert "month/day: write it as 2026-01-31T12:00:00Z" in specification_text(path, "good")
    assert rows[0]["own"] == TIMES[cell](0)
    assert "write it as 2026-01-31T12:00:00Z" in said[0]


@pytest.mark.parametrize(
    ("cell", "kind", "remark"),
    [
        ("dashes", "number", "23 cells are '-': read as missing"),
        ("truths", "boolean", "100 cells are 'none': read as missing"),
        ("words", "string", "100 cells are 'NA', 100 'null': text as any other (empty them if they mean none)"),
    ],
)
def test_marks_of_missing_are_missing_but_in_text(tmp_path: Path, cell: str, kind: str, remark: str) -> None:
    path = csv_of(tmp_path, CELLS[cell], ",")

    field = proposed(path).fields["own"]

    assert (field.type, field.nullable) == (kind, kind != "string")
    assert f"# {remark}" in specification_text(path, "good")
