"""What a history may be like, and what is told of it."""

from __future__ import annotations

from typing import Any

import pytest

from homeostat.backtesting.columns import Columns
from homeostat.backtesting.errors import HistoryError
from homeostat.backtesting.history import History, history_of
from shared.pipeline.span import Span
from shared.pipeline.specification import Specification

SPECIFICATION = Specification.model_validate(
    {
        "name": "shop",
        "kind": "binary",
        "schema": {
            "id": {"type": "string"},
            "at": {"type": "timestamp"},
            "amount": {"type": "number", "range": [0, 100]},
            "churned": {"type": "boolean"},
        },
        "id": "id",
        "timestamp": "at",
        "target": "churned",
        "models": {"min_rows": 50},
    }
)


def rows(count: int = 100) -> list[dict[str, Any]]:
    return [
        {
            "id": f"r{i}",
            "at": f"2026-01-01T{i // 60:02}:{i % 60:02}:00Z",
            "amount": float(i % 90),
            "churned": i % 3 == 0,
        }
        for i in range(count)
    ]


def taken(table: list[dict[str, Any]], delay: str = "0s") -> History:
    return history_of(Columns.of_rows(table), SPECIFICATION, Span.of(delay), rate=1.0)


def what(history: History) -> dict[str, int]:
    return {treatment.what: treatment.rows for treatment in history.treatments}


def refusal(table: list[dict[str, Any]], delay: str = "0s") -> HistoryError:
    with pytest.raises(HistoryError) as caught:
        taken(table, delay)
    return caught.value


def test_a_history_in_order_is_taken_as_it_is() -> None:
    history = taken(rows())
    assert (history.ids[0], history.labels[:2], what(history)) == ("r0", [True, False], {})
    assert str(history.time_of(61)) == "2026-01-01 01:01:00+00:00"


def test_rows_out_of_order_are_sorted_by_their_time_and_told() -> None:
    table = rows()
    history = taken([*table[50:], *table[:50]])
    assert history.ids == [row["id"] for row in table]
    assert what(history) == {"out-of-order": 100}


def test_rows_without_an_id_are_named_after_their_content_as_the_gateway_does() -> None:
    table = rows()
    del table[3]["id"], table[4]["id"]
    history = taken(table)
    assert what(history) == {"ids-missing": 2}
    assert history.ids[3] == taken(table).ids[3] != history.ids[4]


def test_an_id_that_comes_twice_is_told() -> None:
    table = rows()
    table[9]["id"] = "r8"
    assert what(taken(table)) == {"ids-repeated": 1}


def test_a_row_without_a_time_takes_that_of_the_row_before_it() -> None:
    table = rows()
    table[7]["at"] = None
    history = taken(table)
    assert history.time_of(7) == history.time_of(6)
    assert what(history) == {"times-missing": 1}


def test_times_that_are_none_are_refused_with_an_example() -> None:
    error = refusal([{**row, "at": "soon"} for row in rows()])
    assert error.reason == "times"
    assert "'soon'" in str(error)


def test_rows_that_break_the_specification_stay_and_are_told_with_the_reason() -> None:
    table = rows()
    table[5]["amount"] = -1.0
    history = taken(table)
    assert len(history) == 100
    assert history.checked.fits.tolist() == [row != 5 for row in range(100)]
    told = next(treatment for treatment in history.treatments if treatment.what == "refused")
    assert (told.rows, "amount: range (1 rows)" in told.detail) == (1, True)


def test_a_history_of_which_most_rows_break_the_specification_is_refused() -> None:
    error = refusal([{**row, "amount": "much"} for row in rows()])
    assert error.reason == "not-matching"
    assert "amount: type (100 rows)" in str(error)


def test_a_column_that_is_not_there_is_named_with_a_guess() -> None:
    table = rows()
    for row in table:
        row["amuont"] = row.pop("amount")
    error = refusal(table)
    assert error.reason == "columns"
    assert "`amount`" in str(error)
    assert "did you mean `amuont`?" in str(error)


def test_a_column_that_the_specification_does_not_know_is_told() -> None:
    assert what(taken([{**row, "note": "x"} for row in rows()])) == {"unknown-columns": 100}


@pytest.mark.parametrize(
    ("table", "reason", "says"),
    [
        ([], "empty", "no rows"),
        (rows(49), "too-short", "49 labelled rows: the first model needs 50"),
        ([{**row, "churned": True} for row in rows()], "one-value", "`churned` is True in all 100 labelled rows"),
        ([{**row, "churned": None} for row in rows()], "no-labels", "`churned` is empty in every row"),
        (
            [{**row, "id": f"c-{i % 20}"} for i, row in enumerate(rows())],
            "ids-repeated",
            "100 rows have 20 different ids",
        ),
    ],
)
def test_what_nothing_can_be_learned_from_is_refused(table: list[dict[str, Any]], reason: str, says: str) -> None:
    error = refusal(table)
    assert (error.reason, says in str(error)) == (reason, True)


def test_a_label_arrives_with_the_first_row_that_is_later_by_the_delay() -> None:
    history = taken(rows(), "10m")
    assert history.due[0] == 10
    assert history.due[95] == 100
    assert what(history) == {"labels-late": 10}


def test_a_delay_in_rows_counts_rows() -> None:
    assert taken(rows(), "3 rows").due[:2].tolist() == [3, 4]


def test_labels_that_never_come_are_refused_and_not_waited_for() -> None:
    assert refusal(rows(), "30d").reason == "no-labels"
