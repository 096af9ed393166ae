"""When the archive runs: after so many rows or so much time, one run at a time."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta


@dataclass(slots=True)
class Archiving:
    """`runs` counts those begun; `rows` and `since` measure what has come after the last one."""

    every_rows: int
    every: timedelta
    runs: int = 0
    rows: int = 0
    since: datetime | None = None
    running: bool = False

    def is_due(self, now: datetime) -> bool:
        """Asked once per tick; the first tick starts the clock."""
        if self.since is None:
            self.since = now
        return not self.running and (self.rows >= self.every_rows or now - self.since >= self.every)

    def begin(self, now: datetime) -> None:
        self.runs, self.rows, self.since, self.running = self.runs + 1, 0, now, True

    def end(self) -> None:
        self.running = False
