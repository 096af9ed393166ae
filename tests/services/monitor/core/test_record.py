from __future__ import annotations

import pytest

from services.monitor.core.join import Join
from services.monitor.core.record import Record


@pytest.mark.parametrize(("size", "error"), [(0.0, 0.0), (40.0, 0.5), (120.0, 0.75)])
def test_an_error_of_a_number_stands_for_a_size_in_units_of_the_target(size: float, error: float) -> None:
    record = Record("regression", Join(1024), scale=40.0)

    assert size / (size + record.scale) == error
    assert record.size_of(error) == pytest.approx(size)
