"""The model's own answers: whether a new version answers differently, and how often rows are anomalous."""

from __future__ import annotations

import msgspec
import numpy as np

from services.monitor.core.distributions import poisson_limit
from services.monitor.core.drift import FieldReference, Shift, references_of, shifts_in
from services.monitor.core.state import Floats

LEAST_BEFORE = 200
JUDGED_AFTER = (250, 1000)
_EXTREME_PSI = 1.0
_SILENT = 10


class Switch(msgspec.Struct):
    """A new version's answers against those of the version before it, without any label."""

    version: str
    reference: FieldReference
    answers: Floats
    judged: int = 0

    @classmethod
    def of(cls, version: str, before: Floats, *, categorical: bool) -> Switch | None:
        """`before`: the last version's newest answers in order; None where there are too few."""
        if len(before) < LEAST_BEFORE:
            return None
        kinds = np.array([categorical])
        reference = references_of(before[:, None], kinds, np.array([False]), JUDGED_AFTER[0])[0]
        return cls(version, reference, np.empty(0)) if reference is not None else None

    def take(self, answers: Floats, level: float) -> Shift | None:
        """Takes answers; at 250 and at 1000 the shift, where it is significant at `level`."""
        if self.done:
            return None
        self.answers = np.concatenate([self.answers, answers])
        found = None
        while not self.done and len(self.answers) >= JUDGED_AFTER[self.judged]:
            sample = self.answers[: JUDGED_AFTER[self.judged]]
            shifts = shifts_in(sample[:, None], [self.reference])
            self.judged += 1
            if shifts and shifts[0].p_value <= level / len(JUDGED_AFTER) and shifts[0].matters:
                found = shifts[0]
        return found

    @property
    def done(self) -> bool:
        return self.judged >= len(JUDGED_AFTER)


def extreme(shift: Shift) -> bool:
    """So far apart that two versions of one model hardly differ so much by training alone."""
    return shift.psi >= _EXTREME_PSI


def too_many(rate: float, rows: int, level: float) -> int:
    """The count of rare rows that `rows` rows reach with a chance of at most `level` (Poisson)."""
    return poisson_limit(level, rate * rows) + 1


class AnomalyRun(msgspec.Struct):
    """Consecutive anomalous answers of one entity: one alert, ended by `hold_off` of its rows without one.

    An entity that sends no more ends it too, after ten times as many rows of the others.
    """

    hold_off: int
    quiet: int = 0
    first: int = -1
    last: int = -1
    count: int = 0
    highest: float = 0.0

    def take(self, rows: list[tuple[int, float]]) -> bool:
        """Anomalous rows with their scores, in order; True where a run begins."""
        begins = False
        for row, score in rows:
            if self.count == 0:
                self.first, self.highest, begins = row, 0.0, True
            self.quiet = 0
            self.last, self.count, self.highest = row, self.count + 1, max(self.highest, score)
        return begins

    def ended(self, row: int, quiet: int) -> bool:
        """Whether the run is over by this row, `quiet` more of its entity's rows being fine; if so it is forgotten."""
        self.quiet += quiet
        if self.count and (self.quiet >= self.hold_off or row - self.last > _SILENT * self.hold_off):
            self.count = 0
            return True
        return False
