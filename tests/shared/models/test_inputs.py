from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.messages import Value
from shared.models.inputs import inputs_from, matrix, river_rows
from shared.models.metadata import Input

NUMBERS = st.none() | st.booleans() | st.integers(-(2**53), 2**53) | st.floats(allow_nan=False, allow_infinity=False)
TEXTS = st.none() | st.sampled_from(["a", "b", "c", "never seen"])


@given(st.lists(st.fixed_dictionaries({}, optional={"n": NUMBERS, "t": TEXTS}), max_size=30))
def test_every_cell_is_its_number_its_code_or_missing(rows: list[dict[str, Value]]) -> None:
    table = matrix(rows, (Input("n"), Input("t", categories=("a", "b", "c"))))

    assert table.shape == (len(rows), 2)
    for row, (number, code) in zip(rows, table.tolist(), strict=True):
        wanted = row.get("n")
        assert math.isnan(number) if wanted is None else number == float(wanted)
        assert math.isnan(code) if row.get("t") not in ("a", "b", "c") else "abc"[int(code)] == row["t"]


@given(st.lists(st.fixed_dictionaries({"n": NUMBERS, "t": TEXTS}), min_size=1, max_size=30))
def test_a_row_has_the_same_numbers_alone_as_among_others(rows: list[dict[str, Value]]) -> None:
    inputs = inputs_from(rows, ("n", "t"))

    together = matrix(rows, inputs)
    alone = np.vstack([matrix([row], inputs) for row in rows])

    assert np.array_equal(together, alone, equal_nan=True)


def test_text_where_a_number_belongs_is_named() -> None:
    with pytest.raises(ValueError, match="feature 'n' is not a number"):
        matrix([{"n": 1.0}, {"n": "many"}], (Input("n"),))
    with pytest.raises(ValueError, match="feature 'n' is not a number"):
        river_rows([{"n": "many"}], (Input("n"),))


def test_inputs_take_the_most_frequent_texts_and_the_median_of_numbers() -> None:
    rows: list[dict[str, Value]] = [{"t": text, "n": number} for text, number in zip("bbbaac", range(6), strict=True)]

    assert inputs_from(rows, ("t", "n", "absent"), max_categories=2) == (
        Input("t", categories=("b", "a")),
        Input("n", fill=2.5),
        Input("absent"),
    )


def test_river_gets_no_gaps() -> None:
    inputs = (Input("n", fill=7.5), Input("t", categories=("a",)))

    assert river_rows([{"n": None}, {"n": True, "t": "new"}], inputs) == [{"n": 7.5, "t": ""}, {"n": 1.0, "t": "new"}]
