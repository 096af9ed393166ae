"""The contract over columns says of each row what it says of the row alone."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import polars as pl
from hypothesis import given
from hypothesis import strategies as st

from homeostat.backtesting.columns import Columns, checked, seconds_of, times_of
from shared.pipeline.contract import Contract, Row
from shared.pipeline.problems import Problem
from shared.pipeline.specification import Specification

SPECIFICATION = Specification.model_validate(
    {
        "name": "any",
        "kind": "regression",
        "schema": {
            "id": {"type": "string"},
            "at": {"type": "timestamp"},
            "number": {"type": "number", "range": [0, None], "nullable": True},
            "whole": {"type": "integer", "range": [-5, 5]},
            "few": {"type": "integer", "allowed": [1, 2]},
            "text": {"type": "string", "allowed": ["a", "b"], "nullable": True},
            "truth": {"type": "boolean"},
            "target": {"type": "number", "range": [0, 10]},
        },
        "id": "id",
        "timestamp": "at",
        "target": "target",
    }
)
TIMES = ("2026-01-01T00:00:00Z", "2026-01-01T00:00:00.000000Z", "2026-13-01T00:00:00.000000Z", "soon", 1.7e9, None)
PLAIN: dict[str, st.SearchStrategy[Any]] = {
    "id": st.text(max_size=3) | st.none(),
    "at": st.sampled_from(TIMES),
    "number": st.floats(allow_nan=True) | st.integers(-3, 3) | st.none(),
    "whole": st.integers(-9, 9) | st.sampled_from((2.0, 2.5, 1e300, math.inf)),
    "few": st.integers(0, 3),
    "text": st.sampled_from(("a", "b", "c", None)),
    "truth": st.booleans(),
    "target": st.floats(-1, 11) | st.none(),
}
ODD = st.sampled_from((None, "x", 3, 2.5, True, 2**70, [1]))
COLUMN_WISE = st.fixed_dictionaries({name: st.booleans() for name in PLAIN})


@st.composite
def tables(draw: st.DrawFn) -> list[dict[str, Any]]:
    """Rows in which some columns hold cells of any type."""
    odd = draw(COLUMN_WISE)
    count = draw(st.integers(1, 6))
    cells = {name: PLAIN[name] | ODD if odd[name] else PLAIN[name] for name in PLAIN}
    return [{name: draw(cells[name]) for name in PLAIN} for _ in range(count)]


def with_id_of(kind: str) -> Specification:
    schema = SPECIFICATION.canonical["schema"] | {"id": {"type": kind}}
    return Specification.model_validate(SPECIFICATION.canonical | {"schema": schema})


IDS = st.sampled_from(("7", "007", "-1", "x", "", None)) | st.integers(0, 9)


@given(tables(), st.lists(IDS, min_size=6, max_size=6), st.sampled_from(("string", "integer", "number")))
def test_each_row_is_judged_as_it_would_be_alone(rows: list[dict[str, Any]], ids: list[object], kind: str) -> None:
    rows = rows if kind == "string" else [row | {"id": given} for row, given in zip(rows, ids, strict=False)]
    specification = with_id_of(kind)
    contract, found = Contract(specification), checked(Columns.of_rows(rows), specification)
    for place, row in enumerate(rows):
        alone = contract.check_row({name: value for name, value in row.items() if name != "target"})
        assert bool(found.fits[place]) is isinstance(alone, Row)
        if isinstance(alone, Row):
            assert found.frame.row(place, named=True) == alone.values
        else:
            assert found.problems[place].field == alone.field
        label = contract.check_label(row["target"])
        assert found.labels[place] == (None if isinstance(label, Problem) else label)


def test_times_of_a_column_are_those_of_each_cell() -> None:
    cells = [*(each for each in TIMES if not isinstance(each, float)), "2026-02-29T00:00:00.000000Z"]
    cells += ["2026-01-01T23:59:60.000000Z", "2026-01-01T00:00:00.123456Z", "1969-12-31T23:59:59.999999Z", "2026-01-01"]

    np.testing.assert_array_equal(times_of(pl.Series(cells, dtype=pl.String)), [seconds_of(each) for each in cells])


def test_a_whole_number_in_a_text_stays_one_beside_a_fraction() -> None:
    row = {"at": TIMES[0], "number": 0.0, "whole": 0, "few": 1, "text": "a", "truth": True, "target": 0.0}

    found = checked(Columns.of_rows([row | {"id": 3}, row | {"id": 2.5}]), SPECIFICATION)

    assert found.fits.tolist() == [True, False]
    assert found.frame["id"][0] == "3"
