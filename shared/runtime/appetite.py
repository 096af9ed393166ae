"""How many records a turn takes: many while they are worked off quickly, few where a step is slow."""

from __future__ import annotations

from dataclasses import dataclass, field

LONGEST_SECONDS = 1.0
"""A turn that takes longer is followed by a smaller one: pulse, ticks and control topics wait for its end."""

FIRST = 1_000
LEAST = 10


@dataclass(slots=True)
class Appetite:
    """At most `most` records. Large batches share a transaction's cost; slow steps cut them, quick ones double them.

    >>> appetite = Appetite(most=4_000)
    >>> appetite.took(1_000, 0.1), appetite.took(2_000, 0.2), appetite.took(4_000, 3.0), appetite.took(500, 0.9)
    (2000, 4000, 1333, 1333)
    """

    most: int
    records: int = field(init=False)

    def __post_init__(self) -> None:
        self.records = min(FIRST, self.most)

    def took(self, records: int, seconds: float) -> int:
        """A turn of so many records took so long. How many the next may take."""
        if seconds > LONGEST_SECONDS:
            self.records = max(min(LEAST, self.most), int(min(records, self.records) * LONGEST_SECONDS / seconds))
        elif records >= self.records and seconds < LONGEST_SECONDS / 2:
            self.records = min(self.most, 2 * self.records)
        return self.records
