"""A first specification from a file: it loads, and its guesses are those a person would make."""

from __future__ import annotations

import math
from datetime import time, timedelta
from decimal import Decimal
from pathlib import Path

import polars as pl
import pytest

from shared.errors import Misconfigured
from shared.pipeline.inference import specification_text
from shared.pipeline.load import parse
from shared.pipeline.specification import Specification

EXAMPLES = Path(__file__).parents[3] / "examples"


def inferred(path: Path, target: str | None, name: str | None = None) -> Specification:
    return parse(specification_text(path, target, name).encode(), "inferred.yaml")


def test_the_electricity_file_gives_its_own_roles() -> None:
    specification = inferred(EXAMPLES / "electricity" / "data.parquet", "target")

    assert (specification.name, specification.kind) == ("electricity", "binary")
    assert (specification.id, specification.timestamp, specification.key) == ("id", "at", "region")
    assert "target" not in specification.feature_names
    assert "nswprice" in specification.feature_names


def test_without_a_target_every_column_that_can_be_is_a_feature_of_what_is_unusual(tmp_path: Path) -> None:
    path = tmp_path / "cpu.csv"
    frame = pl.DataFrame({"row_id": [f"r{n}" for n in range(200)], "host": ["a", "b"] * 100})
    frame.with_columns(load=pl.int_range(200) * 0.5, free=pl.int_range(200) * 0.7).write_csv(path)

    specification = inferred(path, None)

    assert (specification.kind, specification.target) == ("anomaly", None)
    assert (specification.id, specification.key) == ("row_id", "host")
    assert specification.feature_names == ("load", "free")
    assert specification.models.min_rows == 120
    assert "needs 500 rows unless this says otherwise; the file has 200" in specification_text(path, None)
    assert "label_delay" not in specification_text(path, None)


@pytest.mark.parametrize("suffix", ["csv", "parquet", "ndjson"])
def test_the_same_table_gives_the_same_specification_in_each_format(tmp_path: Path, suffix: str) -> None:
    frame = pl.DataFrame(
        {
            "odd name": [0.5 * n for n in range(300)],
            "end": [n % 7 for n in range(300)],
            "color": ["red", "blue", "green"] * 100,
            "e_mail": [f"{n}@x.org" for n in range(300)],
            "kind": ["a", "b", "c"] * 100,
        }
    )
    path = tmp_path / f"Own Data.{suffix}"
    getattr(frame, f"write_{suffix}")(path)

    specification = inferred(path, "kind")

    assert (specification.name, specification.kind) == ("own-data", "multiclass")
    assert specification.feature_names == ("odd name", "end", "color")
    assert specification.fields["color"].allowed == ("blue", "green", "red")
    assert specification.fields["e_mail"].pii


def test_a_range_says_what_is_impossible_and_not_what_was_not_seen(tmp_path: Path) -> None:
    path = tmp_path / "rows.csv"
    columns = {"t": [float(n % 40 - 20) for n in range(200)], "age": [n % 99 + 1 for n in range(200)]}
    frame = pl.DataFrame({**columns, "meter": list(range(200)), "flag": [n % 2 for n in range(200)]})
    frame.with_columns(y=pl.col("t") * 0.37).write_csv(path)

    fields = inferred(path, "y", "own").fields

    ranges = {name: field.range for name, field in fields.items()}
    assert ranges == {"t": None, "age": (0, None), "meter": (0, None), "flag": None, "y": None}
    assert fields["flag"].allowed == (0, 1)


def test_each_guess_of_a_contract_says_how_it_was_made(tmp_path: Path) -> None:
    path = tmp_path / "rows.csv"
    columns = {"t": [float(n % 40 - 20) for n in range(200)], "age": [(n * 7) % 99 + 1 for n in range(200)]}
    pl.DataFrame({**columns, "flag": [n % 2 for n in range(200)], "y": [n * 0.5 for n in range(200)]}).write_csv(path)

    lines = [line.strip() for line in specification_text(path, "y").splitlines()]

    assert "t: {type: number}  # seen: -20 to 19; no range guessed" in lines
    assert "age: {type: integer, range: [0, null]}  # seen: 1 to 99; guess: never negative" in lines
    assert "flag: {type: integer, allowed: [0, 1]}  # guess: these alone, as in the file" in lines


def test_nulls_seen_make_a_field_nullable(tmp_path: Path) -> None:
    path = tmp_path / "own.ndjson"
    pl.DataFrame({"x": [1.5, None, 2.5, 4.5] * 10, "y": [1.0, 2.0, 3.5, 4.0] * 10}).write_ndjson(path)

    specification = inferred(path, "y")

    assert specification.fields["x"].nullable
    assert not specification.fields["y"].nullable


@pytest.mark.parametrize(
    ("name", "content", "expected"),
    [
        ("a.csv", b"x,y\n1,2\n3,5\n4,9\n", "has no column `z`"),
        ("a.csv", b"", "cannot be read as CSV"),
        ("a.csv", b"z,y\n", "has no rows"),
        ("a.csv", b"z," + b"y" * 200_000 + b"\n1,2\n", "a.csv:1: the first line must name the columns"),
        ("a.csv", b"z;y\n1,5;1.000\n2,5;1.5\n3,5;2\n", "cannot be told in the column `y`"),
        ("a.csv", b"z,y\n1,1\n1,2\n", "there is nothing to predict"),
        ("a.csv", b"z\n1\n2\n", "no column but `z` can be a feature"),
        ("a.parquet", b"z,y\n1,2\n", "cannot be read as Parquet"),
        ("a.ndjson", b"not json\n", "cannot be read as NDJSON"),
        ("a.yaml", b"name: p\n", "is a specification by its name, and rows are expected"),
    ],
)
def test_a_file_that_is_not_what_it_says_is_named(tmp_path: Path, name: str, content: bytes, expected: str) -> None:
    path = tmp_path / name
    path.write_bytes(content)

    with pytest.raises(Misconfigured) as caught:
        specification_text(path, "z")

    assert expected in str(caught.value)
    assert name in str(caught.value)


def test_a_misspelt_target_gets_a_suggestion() -> None:
    with pytest.raises(Misconfigured, match="did you mean `rentals`"):
        specification_text(EXAMPLES / "bike-rentals" / "data.parquet", "rental")


def test_letters_of_every_language_stay_as_they_are(tmp_path: Path) -> None:
    file = tmp_path / "cafés.csv"
    rows = [f"{n * 0.5},{('café', 'thé')[n % 2]},{n % 2}" for n in range(200)]
    file.write_text("\n".join(["größe,getränk,gut", *rows]))

    text = specification_text(file, "gut", "drinks")

    assert all(word in text for word in ('"größe"', '"getränk"', 'allowed: ["café", "thé"]'))
    assert parse(text.encode(), "drinks.yaml").fields["getränk"].allowed == ("café", "thé")


@pytest.mark.parametrize("separator", [";", "\t"])
def test_a_file_with_other_separators_gives_the_same_specification(tmp_path: Path, separator: str) -> None:
    lines = ["size,color,good", *(f"{n * 0.5},{('red', 'blue')[n % 2]},{n % 2}" for n in range(200))]
    (tmp_path / "a.csv").write_text("\n".join(lines))
    other = "\n".join(lines).replace(",", separator)
    (tmp_path / "b.csv").write_text(other.replace(".", ",") if separator == ";" else other)

    assert inferred(tmp_path / "b.csv", "good", "one") == inferred(tmp_path / "a.csv", "good", "one")


def test_a_file_is_inferred_from_as_its_rows_are_read(tmp_path: Path) -> None:
    path = tmp_path / "a.csv"
    rows = [f"{n},5;{n % 9 + 1}.000;{n % 2}" for n in range(200)]
    path.write_bytes("\r".join(["size;stock;good", *rows]).encode())

    fields = inferred(path, "good").fields

    assert fields["size"].type == "number"
    assert "seen: 1000 to 9000" in specification_text(path, "good")


def test_numbers_with_a_leading_zero_anywhere_in_their_column_are_codes(tmp_path: Path) -> None:
    path = tmp_path / "rows.csv"
    rows = [f"{-n},{n:05},{10 + n},{n / 10},{n % 3:02}" for n in range(200)]
    rows.append("-200,10000,010,0.5,02")
    path.write_text("\n".join(["n,zip,late,share,class", *rows]))

    fields = inferred(path, "class").fields

    types = {name: field.type for name, field in fields.items()}
    assert types == {"n": "integer", "zip": "string", "late": "string", "share": "number", "class": "string"}
    assert inferred(path, "class").kind == "multiclass"


@pytest.mark.parametrize("suffix", ["csv", "parquet", "ndjson"])
def test_the_id_is_text_whatever_it_is_in_the_file(tmp_path: Path, suffix: str) -> None:
    path = tmp_path / f"rows.{suffix}"
    frame = pl.DataFrame(
        {"order_id": list(range(200)), "x": [n * 0.5 for n in range(200)], "y": [n % 2 for n in range(200)]}
    )
    getattr(frame, f"write_{suffix}")(path)

    specification = inferred(path, "y")

    assert (specification.id, specification.fields["order_id"].type) == ("order_id", "string")


@pytest.mark.parametrize(
    ("column", "values", "proposed"),
    [
        ("record_no", [f"{n:05}" for n in range(200)], True),
        ("orderNumber", list(range(200, 0, -1)), True),
        ("who", [f"row {n}" for n in range(200)], True),
        ("n", list(range(200)), True),
        ("income", list(range(200, 0, -1)), False),
        ("record_no", [f"{n // 2:05}" for n in range(200)], False),
        ("x_no", [n * 0.5 for n in range(200)], False),
    ],
)
def test_a_column_that_tells_the_rows_apart_is_proposed_as_id(
    tmp_path: Path, column: str, values: list[object], proposed: bool
) -> None:
    path = tmp_path / "rows.csv"
    rest = {"x": [n % 7 * 0.5 for n in range(200)], "y": [n % 2 for n in range(200)]}
    pl.DataFrame({column: values, **rest}).write_csv(path)

    assert inferred(path, "y").id == (column if proposed else None)
    assert ("# different in each of the 200 rows" in specification_text(path, "y")) == proposed


def test_a_column_that_is_called_like_an_id_goes_before_the_first(tmp_path: Path) -> None:
    path = tmp_path / "rows.csv"
    columns = {"name": [f"row {n}" for n in range(200)], "uuid": [f"u{n}" for n in range(200)]}
    pl.DataFrame({**columns, "x": [n * 0.5 for n in range(200)], "y": [n % 2 for n in range(200)]}).write_csv(path)

    assert inferred(path, "y").id == "uuid"


@pytest.mark.parametrize(
    ("column", "values"),
    [
        ("when", [f"{n % 12 + 1:02}/{n // 12 % 12 + 1:02}/{2000 + n // 144}" for n in range(200)]),
        ("day_no", [f"{n % 12 + 1:02}/{n // 12 % 12 + 1:02}/{2000 + n // 144}" for n in range(200)]),
        ("order", [f"01.02.{1800 + n}" for n in range(200)]),
        ("time", [1_700_000_000 + n for n in range(200)]),
    ],
)
def test_a_time_is_no_id_however_it_is_written(tmp_path: Path, column: str, values: list[object]) -> None:
    path = tmp_path / "rows.csv"
    rest = {"x": [n % 7 * 0.5 for n in range(200)], "y": [n % 2 for n in range(200)]}
    pl.DataFrame({column: values, **rest}).write_csv(path)

    assert inferred(path, "y").id is None


@pytest.mark.parametrize(("rows", "proposed"), [(442, 265), (60, 50), (10, 50), (499, 299), (500, 500), (3000, 500)])
def test_a_file_of_few_labelled_rows_asks_for_fewer_for_a_first_model_and_says_so(
    tmp_path: Path, rows: int, proposed: int
) -> None:
    path = tmp_path / "rows.csv"
    pl.DataFrame({"x": [n * 0.5 for n in range(rows + 9)], "y": [n * 0.7 for n in range(rows)] + [None] * 9}).write_csv(
        path
    )

    assert inferred(path, "y").models.min_rows == proposed
    assert (f"the file has {rows}" in specification_text(path, "y")) == (rows < 500)


ODD = {
    "bytes": pl.Series([b"a", b"b"]),
    "list": pl.Series([[1], [2]]),
    "object": pl.Series([{"a": 1}, {"a": 2}]),
    "duration": pl.Series([timedelta(1), timedelta(2)]),
    "clock": pl.Series([time(1), time(2)]),
    "not finite": pl.Series([1.0, 3.0, math.nan, math.inf]),
    "huge": pl.Series([1, 2**90], dtype=pl.Int128),
    "decimal": pl.Series([Decimal("1.5"), Decimal("2.5")]),
    "category": pl.Series(["a", "b"], dtype=pl.Categorical),
}


@pytest.mark.parametrize(
    ("kind", "expected"),
    [
        ("bytes", None),
        ("list", None),
        ("object", None),
        ("duration", "string"),
        ("clock", "string"),
        ("not finite", "number"),
        ("huge", "number"),
        ("decimal", "number"),
        ("category", "string"),
    ],
)
def test_columns_of_every_type_of_parquet_become_fields_or_are_said_to_be_left_out(
    tmp_path: Path, kind: str, expected: str | None
) -> None:
    cells, path = ODD[kind], tmp_path / "rows.parquet"
    x = pl.concat([cells] * (200 // len(cells)))
    pl.DataFrame({"x": x, "y": [n * 0.5 for n in range(200)], "z": list(range(200))}).write_parquet(path)

    field = inferred(path, "y").fields.get("x")

    assert (field and field.type) == expected
    if expected is None:
        assert '# "x" is left out: no field can hold' in specification_text(path, "y")
        with pytest.raises(Misconfigured, match="which no model can predict"):
            specification_text(path, "x")


@pytest.mark.parametrize(
    ("values", "score"),
    [
        (["nein", "ja"], "# score: P(nein), the later of ja and nein in order"),
        ([0, 1], "# score: P(1), the later of 0 and 1 in order"),
        (["true", "false"], "# score: P(true), the later of false and true in order"),
    ],
)
def test_of_two_classes_the_one_that_the_score_speaks_of_is_named(
    tmp_path: Path, values: list[object], score: str
) -> None:
    path = tmp_path / "rows.csv"
    pl.DataFrame({"x": [n / 7 for n in range(200)], "y": values * 100}).write_csv(path)

    assert score in specification_text(path, "y")


def test_a_column_that_nearly_is_an_id_is_named_with_what_is_in_the_way(tmp_path: Path) -> None:
    path = tmp_path / "rows.csv"
    customers = [None if n in (7, 8, 9) else f"K{n % 3998}" for n in range(4001)]
    pl.DataFrame({"x": [n % 97 / 7 for n in range(4001)], "kunde": customers, "y": ["a", *["b"] * 4000]}).write_csv(
        path
    )

    text = specification_text(path, "y")

    assert "`kunde` nearly is one: 3,995 different values in 4,001 rows; 3 empty, 3 repeated." in text
    assert "\n# id: kunde " in text


def test_a_column_of_many_repeats_is_not_said_to_be_nearly_an_id(tmp_path: Path) -> None:
    path = tmp_path / "rows.csv"
    columns = {"name": [f"K{n % 190}" for n in range(200)], "x": [n % 7 for n in range(200)]}
    pl.DataFrame(columns | {"y": ["a", "b"] * 100}).write_csv(path)

    assert "nearly" not in specification_text(path, "y")


def test_names_and_classes_of_several_lines_leave_a_file_that_loads(tmp_path: Path) -> None:
    path = tmp_path / "rows.parquet"
    odd = "the\nname: 5\u2028x"
    texts = [f"t{n}\n- x" for n in range(399)] + ["t0\n- x"]
    pl.DataFrame({odd: texts, "x\ny": [0.5 * n for n in range(400)], "side": ["a\nb: c", "d"] * 200}).write_parquet(
        path
    )

    specification = inferred(path, "side")

    assert "# score: P(d), the later of a\\nb: c and d in order" in specification_text(path, "side")
    assert "nearly is one" in specification_text(path, "side")
    assert {odd, "x\ny"} <= specification.fields.keys()


def test_whole_numbers_are_written_whole(tmp_path: Path) -> None:
    path = tmp_path / "rows.parquet"
    pl.DataFrame({"x": [1_033_220 - n for n in range(200)], "y": [0.5 * n for n in range(200)]}).write_parquet(path)

    assert "seen: 1033021 to 1033220;" in specification_text(path, "y")


def test_a_target_of_too_many_classes_is_told_with_what_can_be_done(tmp_path: Path) -> None:
    path = tmp_path / "rows.parquet"
    pl.DataFrame({"who": [f"p{n}" for n in range(3000)], "x": list(range(3000))}).write_parquet(path)

    with pytest.raises(Misconfigured, match=r"3,000 different values, and at most 50 .*: give another --target"):
        specification_text(path, "who")
