"""Rows of a pipeline that is not known yet.

A specification and the first rows travel on different topics, so rows may come first. They wait a
little; only what waited in vain is refused.
"""

from __future__ import annotations

from datetime import datetime, timedelta

import msgspec

from shared.messages import RawRecord


class Waiting(msgspec.Struct, frozen=True, kw_only=True):
    """A raw record kept as it came, with its address and its bytes."""

    record: RawRecord
    partition: int
    offset: int
    value: bytes
    trace: str | None
    since: datetime


class WaitingRoom:
    """Rows in the order in which they came, at most `most` of them, each for at most `seconds`."""

    def __init__(self, most: int, seconds: float) -> None:
        self._most = most
        self._patience = timedelta(seconds=seconds)
        self.rows: list[Waiting] = []

    def admit(self, row: Waiting) -> bool:
        """False where there is no room: the row is to be refused now."""
        if len(self.rows) >= self._most:
            return False
        self.rows.append(row)
        return True

    def known(self, pipeline: str) -> list[Waiting]:
        """The pipeline has come to be known: its rows, which leave the room."""
        leaving = [row for row in self.rows if row.record.pipeline == pipeline]
        self.rows = [row for row in self.rows if row.record.pipeline != pipeline]
        return leaving

    def in_vain(self, now: datetime) -> list[Waiting]:
        """Rows that have waited long enough, which leave the room."""
        leaving = [row for row in self.rows if now - row.since >= self._patience]
        self.rows = [row for row in self.rows if now - row.since < self._patience]
        return leaving
