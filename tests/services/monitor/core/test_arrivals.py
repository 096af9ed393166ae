from __future__ import annotations

from services.monitor.core.arrivals import Arrivals


def test_a_row_arrived_when_its_batch_began_to() -> None:
    arrivals = Arrivals()
    assert arrivals.of(100) is None
    arrivals.see(100, 7.0)
    arrivals.see(150, 9.0)
    assert [arrivals.of(row) for row in (100, 149, 150, 9999)] == [7.0, 7.0, 9.0, 9.0]


def test_batches_within_a_second_and_a_hundred_rows_arrived_as_one() -> None:
    arrivals = Arrivals()
    for row, time in ((0, 7.0), (50, 7.5), (110, 7.6), (120, 9.0)):
        arrivals.see(row, time)
    assert arrivals.rows == [0, 110, 120]


def test_rows_of_long_ago_arrived_before_the_oldest_that_is_remembered() -> None:
    arrivals = Arrivals()
    for batch in range(50_000):
        arrivals.see(10 * batch, float(batch))
    assert len(arrivals.rows) <= 11_000
    assert (arrivals.of(0), arrivals.of(499_990)) == (arrivals.times[0], 49_999.0)
