"""Expressions: one row in, one value out, and nothing that looks beyond the row."""

from __future__ import annotations

import polars as pl
import pytest

from shared.pipeline.expressions import FUNCTIONS, ExpressionError, expression_of
from shared.pipeline.types import polars_of


@pytest.mark.parametrize(
    "text",
    [
        "sum(a)",
        "a - median(a)",
        "lag(a) over (order by t)",
        "row_number() over (order by a)",
        "a > all(b)",
        "count(*)",
        "(select 1)",
        "now()",
        "random()",
        "a; b",
        "a -- b",
        "a /* b */",
        "a::int",
        "a.b",
        "cast(a as int)",
        "*",
        "",
        "a b",
        "a[1]",
        "a" * 3000,
    ],
)
def test_what_could_look_beyond_its_row_or_is_no_expression_is_refused(text: str) -> None:
    with pytest.raises(ExpressionError):
        polars_of(expression_of(text))


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("a - b", [-9.0, None]),
        ("(a + b) * 0.5", [5.5, None]),
        ("a / 0", [float("inf"), float("inf")]),
        ("a * 1.5 / z", [float("inf"), 3.0]),
        ("CASE WHEN a > 1 THEN 'high' ELSE 'low' END", ["low", "high"]),
        ("coalesce(b, 0)", [10.0, 0.0]),
        ("day + 1", [2, 3]),
        ("extract(hour from at)", [1, 1]),
        ("try_cast(s as double)", [7.0, None]),
        ('"odd name" || s', ["q7", "qx"]),
        ("a BETWEEN 1 AND 1.5", [True, False]),
        ("s IN ('x', 'y')", [False, True]),
        ("round(a, 1)", [1.0, 2.0]),
    ],
)
def test_an_expression_is_computed_row_by_row(text: str, expected: list[object]) -> None:
    frame = pl.DataFrame(
        {
            "a": [1.0, 2.0],
            "b": [10.0, None],
            "z": [0, 1],
            "s": ["7", "x"],
            "day": [1, 2],
            "at": ["2026-01-01T01:00:00"] * 2,
            "odd name": ["q", "q"],
        }
    ).with_columns(pl.col("at").str.to_datetime(time_zone="UTC"))

    assert frame.with_columns(x=polars_of(expression_of(text)))["x"].to_list() == expected


@pytest.mark.parametrize("name", sorted(FUNCTIONS - {"if", "date_part", "extract", "pi"}))
def test_every_allowed_function_gives_a_row_the_same_value_alone_and_among_others(name: str) -> None:
    frame = pl.DataFrame({"a": [0.5, 0.25, 0.75], "s": ["abc", "b", ""]})
    calls = [f"{name}({arguments})" for arguments in ("a", "s", "a, a", "s, 1", "s, 's'", "s, 'b', 'c'", "a, 2")]
    tried = 0
    for call in calls:
        try:
            expression = polars_of(expression_of(call))
            together = frame.select(x=expression)["x"].to_list()
        except (ExpressionError, pl.exceptions.PolarsError):
            continue  # not with these arguments
        tried += 1
        assert [frame[row].select(x=expression)["x"].item() for row in range(3)] == together

    assert tried > 0


def test_names_are_listed_once_and_renamed_where_asked() -> None:
    expression = expression_of("a + b - a", {"b": "feature:b"})

    assert expression.names == ("a", "feature:b")
    assert expression.sql == '"a" + "feature:b" - "a"'
