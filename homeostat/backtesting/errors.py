"""What makes a history unfit for a backtest, and what was done about lesser faults."""

from __future__ import annotations

from dataclasses import dataclass

from shared.errors import Misconfigured


class HistoryError(Misconfigured):
    """A history that cannot be replayed. `reason` is a kebab-case code, the message says what to do.

    ``empty``, ``columns``, ``times``, ``not-matching``, ``one-value``, ``too-short``, ``no-labels``.
    """

    def __init__(self, reason: str, message: str) -> None:
        super().__init__(message)
        self.reason = reason


@dataclass(frozen=True, slots=True)
class Treatment:
    """Something about the history that was dealt with: a code, how many rows, and a sentence."""

    what: str
    rows: int
    detail: str
