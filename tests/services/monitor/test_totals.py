"""How many rows and labels there are is known though no window closes."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

Make = Callable[..., Any]


def test_totals_are_told_where_the_stream_rests_within_a_window(stream: Make) -> None:
    s = stream(warm=1000)
    s.run(50)
    s.tick(10)
    newest = s.metrics("data")[-1]
    assert (newest.rows_seen, newest.labelled_seen) == (2050, 2050)
    s.tick(10)
    assert s.metrics("data")[-1] == newest
