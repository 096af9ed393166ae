from __future__ import annotations

from datetime import UTC, datetime

import numpy as np
import pytest

from services.monitor.core.join import Join
from services.monitor.core.record import Record
from shared.messages import Prediction, ShadowAnswer


@pytest.mark.parametrize(("size", "error"), [(0.0, 0.0), (40.0, 0.5), (120.0, 0.75)])
def test_an_error_of_a_number_stands_for_a_size_in_units_of_the_target(size: float, error: float) -> None:
    record = Record("regression", Join(1024), scale=40.0)

    assert size / (size + record.scale) == error
    assert record.size_of(error) == pytest.approx(size)


def test_two_sets_of_rows_are_told_in_a_metric_that_both_have() -> None:
    record, number = Record("binary", Join(1024)), Record("regression", Join(1024), scale=40.0)

    measured = {"accuracy": 0.7, "f1": 0.6}

    assert record.in_one_metric("f1", (measured, 0.3), (measured, 0.3)) == ("f1", [0.6, 0.6])
    assert record.in_one_metric("f1", ({}, 0.1), (measured, 0.3)) == ("accuracy", [0.9, 0.7])
    assert number.in_one_metric("r2", ({}, 0.5), ({"r2": 0.1, "mae": 60.0}, 0.6)) == ("mae", [40.0, 60.0])


def test_a_version_that_was_a_shadow_and_then_answers_is_measured_by_all_that_it_said() -> None:
    record = Record("regression", Join(1024))
    rows = record.join.rows_of(["a", "b", "c"])
    record.write_predictions(
        rows, [said("a", "1", 9.0, shadow=2.0), said("b", "1", 9.0, shadow=4.0), said("c", "2", 7.0)]
    )
    record.join.set_labels(rows, np.array([1.0, 2.0, 4.0]), np.zeros(3, np.int64))

    found = record.shadow_values(0, 2, {"1": rows[:2], "2": rows[2:]})

    assert list(found) == ["2"]
    assert (found["2"]["rows"], found["2"]["mae"]) == (3.0, 2.0)


def said(id_: str, version: str, number: float, shadow: float | None = None) -> Prediction:
    """An answer of this version, with what version 2 says beside it."""
    beside = () if shadow is None else (ShadowAnswer(model_version="2", prediction=shadow),)
    at = datetime(2026, 1, 1, tzinfo=UTC)
    return Prediction(pipeline="p", id=id_, entity=id_, at=at, prediction=number, model_version=version, shadows=beside)
