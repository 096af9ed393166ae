"""A slow loss: is the level of the newest answers below that of the version's own first ones?

A bet on single rows is slow to see a small lasting loss where errors come in runs. Here the mean error
of the newest 500 and 1,000 rows is held against the version's first rows, with a margin learned from
how much these vary among themselves: batch means of 50 rows (Law and Kelton, "Simulation Modeling
and Analysis"), so that runs of errors count as what they are, and Student's t for their small number.

Part of what varies is how hard the rows are, and the model's own doubt tells some of that. So the
error is freed of what goes with the doubt, by the coefficient that suits the reference best (control
variate; Lavenberg and Welch 1981). Where doubt tells nothing, the coefficient is nought. A model that
grows sure and wrong at once shows all the more.

A version made in bad times never was good, and cannot fall below its own level. So the newest rows are
held against the first rows of the three versions before it too, whose doubt is their own and left out.
"""

from __future__ import annotations

import msgspec
import numpy as np

from services.monitor.core.distributions import covariance, student_tail
from services.monitor.core.state import Bools, Floats, Ints, empty, no_rows

BASE = 1000
LEAST_BASE = 500
SIZES = (500, 1000)
STRIDE = 100
_STILL = 200
_BLOCK = 50
_MOST_WEIGHT = 1.5


class Verdict(msgspec.Struct, frozen=True):
    """The newest `rows` rows at mean error `level`, against `base`; `p_value` and the `limit` it is under."""

    rows: int
    level: float
    base: float
    p_value: float
    limit: float


class Stretch(msgspec.Struct):
    """Judged rows in order: their numbers, errors in [0, 1], and the doubt with which they were answered."""

    rows: Ints = msgspec.field(default_factory=no_rows)
    errors: Floats = msgspec.field(default_factory=empty)
    doubts: Floats = msgspec.field(default_factory=empty)

    def __len__(self) -> int:
        return len(self.rows)

    def part(self, chosen: slice | Bools) -> Stretch:
        """The rows that a slice or a mask takes."""
        return Stretch(self.rows[chosen], self.errors[chosen], self.doubts[chosen])

    def and_(self, other: Stretch) -> Stretch:
        return Stretch(
            np.concatenate([self.rows, other.rows]),
            np.concatenate([self.errors, other.errors]),
            np.concatenate([self.doubts, other.doubts]),
        )


class Level(msgspec.Struct):
    """The version's first rows (`base`, up to 1,000) and the newest after them; `untested` since the last test.

    `usual`: the errors of the first rows of the versions before.
    """

    usual: Floats = msgspec.field(default_factory=empty)
    base: Stretch = msgspec.field(default_factory=Stretch)
    after: Stretch = msgspec.field(default_factory=Stretch)
    untested: int = 0

    def take(self, fresh: Stretch) -> None:
        """Takes rows; what leaves the shorter window becomes reference until that is full."""
        after = self.after.and_(fresh)
        move = max(0, min(len(after) - SIZES[0], BASE - len(self.base)))
        if move:
            self.base = self.base.and_(after.part(slice(0, move)))
        self.after = after.part(slice(max(move, len(after) - SIZES[-1]), None))
        self.untested += len(fresh)

    def judge(self, tolerance: float, rate: float, ceiling: float | None) -> Verdict | None:
        """The loss that stands out, at most `rate` false ones per row; None where there is none.

        Tests once in 100 rows. Nothing is found where the newest 200 rows are within `tolerance` again.
        `ceiling`: what the first rows can raise the reference to.
        """
        if self.untested < STRIDE or len(self.base) < LEAST_BASE:
            return None
        self.untested = 0
        limit = rate * STRIDE / (2 * len(SIZES))
        found = self._against(self.base, tolerance, limit, ceiling)
        if found is None and len(self.usual) >= BASE:
            found = self._against(_plain(self.usual), tolerance, limit, None)
        return found

    def _against(self, base: Stretch, tolerance: float, limit: float, ceiling: float | None) -> Verdict | None:
        plain = float(base.errors.mean())
        plain = plain if ceiling is None else min(plain, ceiling)
        still = float(self.after.errors[-_STILL:].mean()) > plain + tolerance
        for size in SIZES if still else ():
            window = self.after.part(slice(-size, None))
            level = float(window.errors.mean())
            if len(window) < size or level <= plain + tolerance:
                continue
            p_value = _p_value(base, window, tolerance, ceiling)
            if p_value <= limit:
                return Verdict(size, level, plain, p_value, limit)
        return None

    def forget(self, since: int) -> None:
        """Drops rows `since` on."""
        self.base = self.base.part(self.base.rows < since)
        self.after = self.after.part(self.after.rows < since)

    def restart(self) -> None:
        """Begins the test anew; the reference stays."""
        self.after, self.untested = Stretch(), 0


def _plain(errors: Floats) -> Stretch:
    """Errors alone, as if no answer had been in doubt."""
    return Stretch(np.full(len(errors), -1, np.int64), errors, np.zeros(len(errors)))


def _p_value(base: Stretch, window: Stretch, tolerance: float, ceiling: float | None) -> float:
    """Of "the window's mean error is at most `tolerance` above the reference", freed of doubt in both."""
    weight = _weight_of_doubt(base)
    usual = float(base.doubts.mean())
    reference = base.errors - weight * (base.doubts - usual)
    newest = window.errors - weight * (window.doubts - usual)
    blocks = _blocks(reference)
    variance = max(float(reference.var()), 0.25 / len(reference), _BLOCK * float(blocks.var(ddof=1)))
    error = np.sqrt(variance * (1 / len(newest) + 1 / len(reference)))
    mean = float(reference.mean())
    distance = float(newest.mean()) - (mean if ceiling is None else min(mean, ceiling)) - tolerance
    return student_tail(distance / error, len(blocks) - 1)


def _weight_of_doubt(base: Stretch) -> float:
    errors, doubts = _blocks(base.errors), _blocks(base.doubts)
    spread = float(doubts.var(ddof=1))
    if spread < 1e-9:
        return 0.0
    return min(max(float(covariance(errors, doubts)[0, 1]) / spread, 0.0), _MOST_WEIGHT)


def _blocks(values: Floats) -> Floats:
    count = len(values) // _BLOCK
    means: Floats = values[: count * _BLOCK].reshape(count, _BLOCK).mean(axis=1)
    return means
