"""One version's answers under one condition: how wrong they usually are, and whether that has risen.

Errors are numbers in [0, 1]: for classes 1 for a wrong answer, for numbers ``e / (e + scale)`` of the
absolute error. A version that answers with fields withheld is another regime than the same version
with all of them, with a reference of its own.
"""

from __future__ import annotations

import msgspec
import numpy as np

from services.monitor.core.level import Level, Stretch
from services.monitor.core.sequential import Detector, memory_of
from services.monitor.core.state import Floats, Ints, empty, no_rows

WARM = 200
CHECKPOINTS = (200, 400, 700, 1000)
_RECENT = 500
_TAIL = 2000
_BLOCK = 25
_SIGMAS = 1.0
_HIGHEST_BAR = 0.95
_PRIOR_ROWS = 200
FIRST_SLACK = 0.1
MOST_MEMORY = 8.0
UNKNOWN_MEMORY = 4.0


class Expected(msgspec.Struct, frozen=True):
    """A mean error and its standard error."""

    mean: float
    se: float

    def bar(self, tolerance: float) -> float:
        """The mean error that nobody needs to act on: tolerance and the reference's own doubt included."""
        return min(_HIGHEST_BAR, max(1e-3, self.mean + tolerance + _SIGMAS * self.se))


def expected_of(errors: Floats) -> Expected:
    """Mean and standard error; blocks of 25 rows vouch for it, so that dependent rows do not flatter."""
    mean = float(errors.mean())
    plain = max(float(errors.std()), 0.5 / np.sqrt(len(errors))) / np.sqrt(len(errors))
    count = len(errors) // _BLOCK
    if count < 4:
        return Expected(mean, float(plain))
    blocks = errors[: count * _BLOCK].reshape(count, _BLOCK).mean(axis=1)
    return Expected(mean, float(max(plain, blocks.std(ddof=1) / np.sqrt(count))))


class Regime(msgspec.Struct):
    """State of one (version, withheld fields). `total` counts its rows tested so far.

    `memory` is how many rows an error lasts.

    `promised` is the error that the gate or the version before lets expect, `prior` the same as it was
    seen: it counts as 200 rows where the first own ones happen to be easier. `ceiling` is what the
    version's own first rows can raise the reference to, so that a bad release is never taken for
    normal. Both None: the version's own first rows are all there is.
    """

    version: str
    withheld: str = ""
    promised: Expected | None = None
    prior: float | None = None
    ceiling: float | None = None
    reference: Expected | None = None
    memory: float = UNKNOWN_MEMORY
    total: int = 0
    first: Floats = msgspec.field(default_factory=empty)
    first_rows: Ints = msgspec.field(default_factory=no_rows)
    recent: Floats = msgspec.field(default_factory=empty)
    recent_rows: Ints = msgspec.field(default_factory=no_rows)
    tail: Floats = msgspec.field(default_factory=empty)
    tail_rows: Ints = msgspec.field(default_factory=no_rows)
    detector: Detector = msgspec.field(default_factory=Detector)
    level: Level = msgspec.field(default_factory=Level)

    def expected(self) -> Expected | None:
        """The reference in force: its own once it is warm, before that what was promised."""
        return self.reference or self.promised

    def room(self) -> int:
        """How many rows may be taken before the reference is looked at again."""
        return next((point - len(self.first) for point in CHECKPOINTS if point > len(self.first)), 250)

    def take(self, fresh: Stretch, tolerance: float, *, learn: bool = True) -> None:
        """Remembers errors, at most `room` of them, and learns the reference at its checkpoints.

        `learn` is false while a trouble of this version lasts: its rows are no reference.
        """
        rows, errors = fresh.rows, fresh.errors
        self.total += len(errors)
        self.recent = np.concatenate([self.recent, errors])[-_RECENT:]
        self.recent_rows = np.concatenate([self.recent_rows, rows])[-_RECENT:]
        self.tail = np.concatenate([self.tail, errors])[-_TAIL:]
        self.tail_rows = np.concatenate([self.tail_rows, rows])[-_TAIL:]
        if not learn:
            return
        self.level.take(fresh)
        if len(self.first) < CHECKPOINTS[-1]:
            self.first = np.concatenate([self.first, errors])
            self.first_rows = np.concatenate([self.first_rows, rows])
            if len(self.first) in CHECKPOINTS:
                self._learn(len(self.first), tolerance)

    def forget(self, since: int, tolerance: float) -> None:
        """Drops what was learned from rows `since` on: they turned out not to be the model's fault."""
        if not (self.recent_rows >= since).any():
            return
        self.level.forget(since)
        kept = self.tail_rows < since
        self.tail, self.tail_rows = self.tail[kept], self.tail_rows[kept]
        kept = self.recent_rows < since
        self.recent, self.recent_rows = self.recent[kept], self.recent_rows[kept]
        kept = self.first_rows < since
        if not kept.all():
            self.first, self.first_rows = self.first[kept], self.first_rows[kept]
            self.reference = None
            for point in CHECKPOINTS:
                if point <= len(self.first):
                    self._learn(point, tolerance)
        self.detector.reset()

    def restart(self) -> None:
        """Begins the test anew; the reference stays."""
        self.tail, self.tail_rows = empty(), no_rows()
        self.detector.reset()
        self.level.restart()

    def _tempered(self, own: Expected, rows: int) -> Expected:
        if self.prior is None or self.prior <= own.mean:
            return own
        return Expected((rows * own.mean + _PRIOR_ROWS * self.prior) / (rows + _PRIOR_ROWS), own.se)

    def _learn(self, point: int, tolerance: float) -> None:
        """Learns the reference from the first `point` rows."""
        own = self._tempered(expected_of(self.first[:point]), point)
        self.memory = max(1.0, min(MOST_MEMORY, memory_of(self.first[:point])))
        if self.reference is not None:
            before = max((p for p in CHECKPOINTS if p < point), default=0)
            newest = float(self.first[before:point].mean())
            if newest <= self.reference.bar(tolerance):
                self.reference = own
        elif self.ceiling is not None and own.mean > self.ceiling:
            self.reference = Expected(self.ceiling, own.se)
        else:
            self.reference = own
