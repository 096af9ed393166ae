"""What a service counts of its own reaches Prometheus as what it is: a gauge, or a counter that only grows."""

from __future__ import annotations

from datetime import UTC, datetime

from shared.runtime.meter import Meter
from shared.telemetry.metrics import Meters

START = datetime(2026, 3, 1, tzinfo=UTC)
TOTAL = ("homeostat_repeated_rows_total", (("pipeline", "power"), ("partition", "2")))
SERVED = 'homeostat_repeated_rows_total{partition="2",pipeline="power"} '


def test_a_total_that_a_task_gives_is_a_counter_that_grows_by_its_increase() -> None:
    meter = Meter("ingest", "0", START, Meters())
    for total in (2.0, 5.0, 5.0, 1.0):
        meter.expose("ingest-2", {TOTAL: total})

    text = meter.meters.text().decode()

    assert "# TYPE homeostat_repeated_rows_total counter" in text
    assert SERVED + "5.0" in text


def test_a_total_that_a_task_no_longer_gives_is_no_longer_served() -> None:
    meter = Meter("ingest", "0", START, Meters())
    meter.expose("ingest-2", {TOTAL: 2.0})
    meter.expose("ingest-2", {})

    assert SERVED not in meter.meters.text().decode()
