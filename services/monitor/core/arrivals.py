"""When rows arrived: rows with their times, no closer to one another than it takes to tell seconds."""

from __future__ import annotations

from bisect import bisect_right

import msgspec

_MOST = 10_000
_ROWS = 100
_SECONDS = 1.0


class Arrivals(msgspec.Struct):
    """Rows in order, each with the time (seconds since 1970) at which it arrived; the newest 10,000 of them."""

    rows: list[int] = []
    times: list[float] = []

    def see(self, row: int, time: float) -> None:
        """A batch begins with this row. It goes with the one before if that is 100 rows and a second away at most."""
        if self.rows and row < self.rows[-1] + _ROWS and abs(time - self.times[-1]) < _SECONDS:
            return
        self.rows.append(row)
        self.times.append(time)
        if len(self.rows) > _MOST + _MOST // 10:
            self.rows, self.times = self.rows[-_MOST:], self.times[-_MOST:]

    def of(self, row: int) -> float | None:
        """When this row arrived, at the latest; None where no row was seen."""
        return self.times[max(0, bisect_right(self.rows, row) - 1)] if self.rows else None
