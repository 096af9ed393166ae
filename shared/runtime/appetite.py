"""How many records a turn takes: many while they are worked off quickly, few where a step is slow."""

from __future__ import annotations

from dataclasses import dataclass, field

LONGEST_SECONDS = 1.0
"""Steps that take longer are followed by smaller ones: pulse, ticks and control topics wait for their end."""

FIRST = 1_000
LEAST = 200
"""Fewer are never taken (unless told so): where even these take long, what takes long is not the number."""


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
        """The steps of so many records took so long. How many the next turn may take."""
        if seconds > LONGEST_SECONDS:
            fitting = int(records * LONGEST_SECONDS / seconds)
            self.records = min(self.records, max(min(LEAST, self.most), fitting))
        elif records >= self.records and seconds < LONGEST_SECONDS / 2:
            self.records = min(self.most, 2 * self.records)
        return self.records
