"""The newest rows of the watched fields, in order of arrival, and which cells of them are trusted."""

from __future__ import annotations

import msgspec
import numpy as np

from services.monitor.core.state import Bools, Floats, Ints


class Recent(msgspec.Struct):
    """A ring of `capacity` rows. `seen` counts all rows ever appended."""

    capacity: int
    width: int
    values: Floats
    rows: Ints
    sources: Ints
    doubted: Bools
    seen: int = 0

    @classmethod
    def of(cls, capacity: int, width: int) -> Recent:
        return cls(
            capacity,
            width,
            np.full((capacity, width), np.nan),
            np.full(capacity, -1, np.int64),
            np.full(capacity, -1, np.int64),
            np.zeros((capacity, width), bool),
        )

    def append(self, values: Floats, rows: Ints, sources: Ints) -> Ints:
        """Adds rows; returns their places in the order of arrival, counted from 0."""
        places = np.arange(self.seen, self.seen + len(values))
        keep = slice(max(0, len(values) - self.capacity), None)
        slots = places[keep] % self.capacity
        self.values[slots], self.rows[slots] = values[keep], rows[keep]
        self.sources[slots], self.doubted[slots] = sources[keep], False
        self.seen += len(values)
        return places

    def places(self, first: int, until: int) -> Ints:
        """Which of the arrivals [first, until) are still kept."""
        return np.arange(max(first, self.seen - self.capacity, 0), min(until, self.seen))

    def doubt(self, places: Ints, column: int) -> None:
        """Marks cells as not to be learned from."""
        self.doubted[places[places >= self.seen - self.capacity] % self.capacity, column] = True

    def trust(self, places: Ints, column: int) -> None:
        """Takes doubt from cells."""
        self.doubted[places[places >= self.seen - self.capacity] % self.capacity, column] = False

    def trusted(self, places: Ints) -> Floats:
        """The rows at these places, doubted cells as NaN."""
        slots = places % self.capacity
        return np.where(self.doubted[slots], np.nan, self.values[slots])
