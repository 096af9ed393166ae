"""A version on trial: what the one before it showed, and the bet that this one is worse."""

from __future__ import annotations

import msgspec

from services.monitor.core.regime import Expected
from services.monitor.core.sequential import Bet
from services.monitor.core.state import Floats, empty


class Release(msgspec.Struct):
    """A version on trial against the one before it, by what that one showed before row `until` (-1: to the end)."""

    baseline: Expected
    samples: int
    first_row: int
    memory: float
    bet: Bet = msgspec.field(default_factory=Bet)
    errors: Floats = msgspec.field(default_factory=empty)
    until: int = -1

    def of(self, row: int) -> Release:
        """The trial of a version that answers from `row` on, against the same."""
        return Release(self.baseline, self.samples, row, self.memory, until=self.until)
