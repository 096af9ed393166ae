from __future__ import annotations

import pytest

from services.monitor.core.join import Join
from services.monitor.core.record import Record


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
