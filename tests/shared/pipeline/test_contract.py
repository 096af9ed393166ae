"""Rows against the schema: what passes, in which form, and which field and reason refuse the rest."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from shared.pipeline.contract import Contract, Row
from shared.pipeline.problems import Problem
from shared.pipeline.specification import Specification

CONTRACT = Contract(
    Specification.model_validate(
        {
            "name": "p",
            "kind": "binary",
            "schema": {
                "id": {"type": "string"},
                "at": {"type": "timestamp"},
                "price": {"type": "number", "range": [0, 100]},
                "count": {"type": "integer"},
                "color": {"type": "string", "allowed": ["red", "blue"]},
                "on": {"type": "boolean"},
                "note": {"type": "string", "nullable": True},
                "mail": {"type": "string", "pii": True, "allowed": ["a@x.org"], "nullable": True},
                "up": {"type": "integer", "allowed": [0, 1]},
            },
            "id": "id",
            "timestamp": "at",
            "target": "up",
        }
    )
)
GOOD = {
    "id": "1",
    "at": "2026-01-31T12:00:00+02:00",
    "price": 3,
    "count": 4.0,
    "color": "red",
    "on": True,
    "note": None,
    "up": 1,
}


def refused(**changes: object) -> Problem:
    answer = CONTRACT.check_row({**GOOD, **changes})
    assert isinstance(answer, Problem)
    return answer


def accepted(values: dict[str, object], lenient: tuple[str, ...] = ()) -> Row:
    answer = CONTRACT.check_row(values, lenient)
    assert isinstance(answer, Row)
    return answer


def test_a_good_row_goes_on_in_the_schemas_order_and_types_without_its_target() -> None:
    row = accepted({**dict(reversed(GOOD.items())), "extra": 1, "more": 2})

    assert list(row.values.items()) == [
        ("id", "1"),
        ("at", "2026-01-31T10:00:00.000000Z"),
        ("price", 3.0),
        ("count", 4),
        ("color", "red"),
        ("on", True),
        ("note", None),
        ("mail", None),
    ]
    assert isinstance(row.values["price"], float)
    assert isinstance(row.values["count"], int)
    assert row.at == datetime(2026, 1, 31, 10, tzinfo=UTC)
    assert (row.label, row.extra) == (1, 2)


@pytest.mark.parametrize(
    ("changes", "field", "reason", "detail"),
    [
        ({"price": "3"}, "price", "type", "is the text '3', not a number"),
        ({"price": True}, "price", "type", "is True, not a number"),
        ({"price": [1]}, "price", "type", "is [1], not a number"),
        ({"price": float("nan")}, "price", "not-finite", "a figure must be finite"),
        ({"price": float("inf")}, "price", "not-finite", "a figure must be finite"),
        ({"price": 100.5}, "price", "range", "is 100.5, outside of 0 to 100"),
        ({"price": -0.1}, "price", "range", "outside"),
        ({"price": 10**400}, "price", "range", "outside"),
        ({"price": None}, "price", "missing", "is null"),
        ({"count": 1.5}, "count", "type", "is 1.5, not a whole number"),
        ({"count": 2**63}, "count", "range", "outside"),
        ({"count": False}, "count", "type", "is False, not a whole number"),
        ({"color": "green"}, "color", "not-allowed", "is the text 'green', which is none of the allowed"),
        ({"color": 1}, "color", "type", "is 1, not text"),
        ({"on": 1}, "on", "type", "is 1, not true or false"),
        ({"at": "yesterday"}, "at", "type", "is the text 'yesterday', not a time"),
        ({"at": "0001-01-01T00:00:00+10:00"}, "at", "type", "not a time"),
        ({"at": True}, "at", "type", "not a time"),
        ({"at": 1.7e12}, "at", "type", "not a time"),
        ({"at": 1.7e18}, "at", "type", "not a time"),
        ({"up": 2}, "up", "not-allowed", "none of the allowed"),
        ({"up": "1"}, "up", "type", "not a whole number"),
    ],
)
def test_a_broken_field_is_named_with_the_reason(
    changes: dict[str, object], field: str, reason: str, detail: str
) -> None:
    problem = refused(**changes)

    assert (problem.field, problem.reason) == (field, reason)
    assert detail in problem.detail


def test_a_missing_field_is_named() -> None:
    answer = CONTRACT.check_row({name: value for name, value in GOOD.items() if name != "color"})

    assert isinstance(answer, Problem)
    assert str(answer) == "color: is missing"


def test_id_timestamp_target_and_nullable_fields_may_be_missing() -> None:
    row = accepted({name: GOOD[name] for name in ("price", "count", "color", "on")})

    assert (row.at, row.label, row.values["id"], row.values["note"]) == (None, None, None, None)


def test_times_may_be_seconds_since_1970_and_are_utc_without_a_zone() -> None:
    assert accepted({**GOOD, "at": 86400}).at == datetime(1970, 1, 2, tzinfo=UTC)
    assert accepted({**GOOD, "at": "2026-01-31T12:00:00"}).at == datetime(2026, 1, 31, 12, tzinfo=UTC)


def test_a_lenient_field_never_refuses_its_row() -> None:
    row = accepted({**GOOD, "price": 5000.0, "color": 7, "count": None}, lenient=("price", "color", "count"))

    assert (row.values["price"], row.values["color"], row.values["count"]) == (5000.0, None, None)


def test_personal_data_are_not_repeated_in_the_reason() -> None:
    assert "secret" not in refused(mail="secret@x.org").detail


def test_a_long_value_is_shown_in_part() -> None:
    assert len(refused(color="x" * 10_000_000).detail) < 200


def test_labels_take_the_targets_type() -> None:
    assert CONTRACT.check_label(1.0) == 1
    assert CONTRACT.check_label(None) is None
    assert isinstance(CONTRACT.check_label("yes"), Problem)


def test_labels_of_a_pipeline_without_a_target_say_whether_the_row_was_an_anomaly() -> None:
    contract = Contract(
        Specification.model_validate({"name": "p", "kind": "anomaly", "schema": {"x": {"type": "number"}}})
    )

    assert contract.check_label(1) is True
    assert isinstance(contract.check_label("odd"), Problem)


@pytest.mark.parametrize(
    ("kind", "given", "kept"),
    [("string", "007", "007"), ("string", 7, "7"), ("integer", "007", 7), ("integer", 7, 7), ("number", "-7", -7.0)],
)
def test_an_id_may_be_given_as_text_or_as_a_number_whatever_its_type(kind: str, given: object, kept: object) -> None:
    schema = {"order": {"type": kind}, "x": {"type": "number"}}
    document = {"name": "p", "kind": "anomaly", "schema": schema, "id": "order"}

    row = Contract(Specification.model_validate(document)).check_row({"order": given, "x": 1})

    assert isinstance(row, Row)
    assert repr(row.values["order"]) == repr(kept)


def test_an_id_that_is_no_number_where_its_field_is_one_is_refused_by_name() -> None:
    schema = {"order": {"type": "integer"}, "x": {"type": "number"}}
    document = {"name": "p", "kind": "anomaly", "schema": schema, "id": "order"}

    found = Contract(Specification.model_validate(document)).check_row({"order": "A-7", "x": 1})

    assert str(found) == "order: is the text 'A-7', not a whole number"


@pytest.mark.parametrize(
    ("bounds", "value", "detail"),
    [
        ((0, None), -3.0, "x: is -3.0, below 0"),
        ((None, 5), 7, "x: is 7, above 5"),
        ((0, 5), 7, "x: is 7, outside of 0 to 5"),
        ((0, None), 10**400, "outside of 0 to 1.79769e+308"),
    ],
)
def test_a_value_out_of_a_range_with_one_end_is_told_by_that_end(
    bounds: tuple[float | None, float | None], value: float, detail: str
) -> None:
    schema = {"x": {"type": "number", "range": list(bounds)}, "y": {"type": "number"}}
    spec = Specification.model_validate({"name": "p", "kind": "regression", "schema": schema, "target": "y"})

    assert detail in str(Contract(spec).check_row({"x": value}))


def test_of_several_faults_the_first_is_the_problem_and_names_the_others() -> None:
    schema = {name: {"type": "number"} for name in "abcdefgh"} | {"y": {"type": "boolean"}}
    spec = Specification.model_validate({"name": "p", "kind": "binary", "schema": schema, "target": "y"})
    contract, good = Contract(spec), dict.fromkeys("abcdefgh", 1.0)

    one = contract.check_row(good | {"b": "old"})
    three = contract.check_row(good | {"b": "old", "d": None, "y": "perhaps"})
    withheld = contract.check_row(good | {"b": "old", "d": None, "e": "x"}, {"d"})
    all_missing = contract.check_row({})

    assert str(one) == "b: is the text 'old', not a number"
    assert isinstance(three, Problem)
    assert (three.field, three.reason) == ("b", "type")
    assert three.detail == (
        "is the text 'old', not a number; and 2 more: d is null; y is the text 'perhaps', not true or false"
    )
    assert str(withheld).endswith("and 1 more: e is the text 'x', not a number")
    assert str(all_missing) == (
        "a: is missing; and 7 more: b is missing; c is missing; d is missing; e is missing; f is missing; …"
    )
