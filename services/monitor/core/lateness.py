"""Labels that are due and have not come: completeness by age, against what is usual at that age.

A row's label is due `label_delay` after the row's own time, once the stream's time has passed that
point. The stream's time is the highest median of 50 event times in a row, so that one wrong clock
does not move it; it stands still while no events come. Labels take their time past that too, and how
much is learned: rows are judged at an age (counted in rows that fell due since) that 99 of 100 labels
lately kept by far. Labels are missing where fewer than half of those that are usual at that age are
there, fewer than chance allows, and hardly any still arrive (a backlog that is being read is none).
"""

from __future__ import annotations

import math

import msgspec
import numpy as np
from scipy.special import bdtr

from services.monitor.core.distributions import median_of, quantiles_of
from services.monitor.core.join import Join
from services.monitor.core.state import Bools, Floats, Ints, empty, no_rows

SAMPLE = 200
_STRIDE = 50
_RUNNING = 4
_CLOCK_ROWS = 50
_AGES = 1000
_LEAST_AGES = 100
_LEAST_AGE = 100.0
_MARGIN = 1.5
_MEMORY = 0.1
_LEARNED = 4
_BACK = 0.75
_SCANNED = 64
_OWED = 2.0
_STRAYS = 0.1


class Missing(msgspec.Struct, frozen=True):
    """`value` of the newest rows that have reached `age` have a label, `usual` did before.

    `due` is how many labels are missing since row `since`.
    """

    value: float
    usual: float
    age: int
    since: int
    due: int


class Lateness(msgspec.Struct):
    """What is usual of a pipeline's labels. `missing` while they starve; `high` is the newest row that is due,
    for the next row and the delay `asked`.
    """

    time: float = -1e300
    clock: Floats = msgspec.field(default_factory=empty)
    ages: Floats = msgspec.field(default_factory=empty)
    usual: float = 0.0
    learned: int = 0
    high: int = -1
    judged: int = -1
    arrived: int = 0
    shares: list[float] = []
    signs: int = 0
    missing: Missing | None = None
    asked: tuple[int, float] = (-1, 0.0)

    def see(self, times: Floats) -> None:
        """Event times of new rows, in order of arrival (seconds since 1970)."""
        self.asked = (-1, 0.0)
        times = times[~np.isnan(times)]
        if len(times):
            self.clock = np.concatenate([self.clock, times])[-_CLOCK_ROWS:]
            self.time = max(self.time, median_of(np.sort(self.clock)))

    def due(self, join: Join, rows: Ints, delay: float) -> Bools:
        """Which rows' labels should be known by now; all of them where no delay is stated."""
        if delay <= 0:
            return np.ones(len(rows), bool)
        return np.asarray(join.read("at", rows) + delay <= self.time, bool)

    def owed(self, join: Join, delay: float) -> bool:
        """Whether labels of the oldest rows known may still come: within twice the delay after the row's own time.

        A few strays without a label are owed nothing: one in ten of these rows must be bare.
        """
        rows = np.arange(join.oldest, min(join.oldest + _CLOCK_ROWS, join.next_row))
        bare = rows[np.isnan(join.read("label", rows))]
        times = join.read("at", bare)
        times = np.sort(times[~np.isnan(times)])
        return delay > 0 and len(times) > _STRAYS * len(rows) and median_of(times) + _OWED * delay > self.time

    def take(self, rows: Ints) -> None:
        """Rows labelled for the first time."""
        self.arrived += len(rows)
        if self.missing is None:
            self.ages = np.concatenate([self.ages, np.maximum(0, self.high - rows)])[-_AGES:]

    def judge(self, join: Join, delay: float, level: float) -> Missing | None:
        """The labels that are missing now, if they are; to be asked at every tick.

        `level` bounds the chance of so few labels among independent rows. It takes four looks running,
        at least 50 rows that fell due between two of them, to say so, and one good look to end it.
        """
        if self.asked != (join.next_row, delay):
            newest_due = self._newest_due(join, join.next_row, 1, delay)
            self.high = int(newest_due[-1]) if len(newest_due) else -1
            self.asked = (join.next_row, delay)
        if self.high - self.judged < _STRIDE or len(self.ages) < _LEAST_AGES:
            return self.missing
        newest = self._newest_due(join, math.floor(self.high - self._age) + 1, SAMPLE, delay)
        if len(newest) < SAMPLE:
            return self.missing
        there = ~np.isnan(join.read("label", newest))
        self._look(there, level, self.high - self.judged)
        if self.signs >= _RUNNING:
            due = self._newest_due(join, join.next_row, join.next_row, delay)
            bare = np.isnan(join.read("label", due))
            since = min(int(newest[0]), int(due[~bare][-1]) + 1 if not bare.all() else 0)
            count = int((bare & (due >= since)).sum())
            self.missing = Missing(float(there.mean()), self.usual, int(self._age), since, count)
        return self.missing

    def _newest_due(self, join: Join, until: int, count: int, delay: float) -> Ints:
        """The newest `count` of the rows before `until` that are due, in order; all where there are fewer."""
        found, scanned = no_rows(), 2 * count + _SCANNED
        while len(found) < count and until > join.oldest:
            rows = np.arange(max(join.oldest, until - scanned), until)
            until, scanned = int(rows[0]), 4 * scanned
            newest = rows[self.due(join, rows, delay)]
            found = np.concatenate([newest, found]) if len(found) else newest
        return found[-count:]

    @property
    def _age(self) -> float:
        usual = quantiles_of(np.sort(self.ages), (0.99,))[0] if len(self.ages) else 0.0
        return _LEAST_AGE + _MARGIN * usual

    def _look(self, there: Bools, level: float, passed: int) -> None:
        share = float(there.mean())
        self.shares = [*self.shares, self.arrived / passed][-_RUNNING:]
        self.judged, self.arrived = self.high, 0
        if self.learned >= _LEARNED and self._few(int(there.sum()), level):
            self.signs += float(np.mean(self.shares)) < self.usual / 2 or self.missing is not None
            return
        self.signs = 0
        if self.missing is None or share >= _BACK * self.usual:
            self.missing = None
            weight = max(_MEMORY, 1.0 / (self.learned + 1))
            self.usual += weight * (share - self.usual)
            self.learned += 1

    def _few(self, count: int, level: float) -> bool:
        likely = float(bdtr(count, SAMPLE, min(0.99, self.usual)))
        return count < self.usual / 2 * SAMPLE and likely <= level
