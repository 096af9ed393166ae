"""An alert says since when: from the arrival of the first row of the change to the alert is what detection took."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from typing import Any

from shared.messages import Features
from shared.service import Batch
from tests.services.monitor.conftest import START

Make = Callable[..., Any]
ROWS_PER_SECOND = 50


def test_a_fault_is_since_its_first_row_arrived(stream: Make) -> None:
    s = stream(warm=2000)

    s.run(400, change=lambda row: row | {"price": row["price"] * 1000})

    ((_, alert),) = s.alerts("data_quality")
    assert alert.since == START + timedelta(seconds=alert.evidence.change.first_row // ROWS_PER_SECOND)
    assert alert.at - alert.since >= timedelta(seconds=1)


def test_rows_that_say_when_they_were_taken_in_arrived_then(stream: Make) -> None:
    s = stream()
    event = Features(
        pipeline="shop", id="a", entity="a", source="till", definition="d", origin=(0, 0), at=START, values={},
        raw={"price": 1, "load": 1, "colour": "red"}, received_at=START - timedelta(seconds=9),
    )  # fmt: skip

    s.monitor.on_features(Batch("features", 0, [0], [event]), START)

    assert s.monitor._state.pipelines["shop"].alerts.arrivals.of(0) == START.timestamp() - 9
