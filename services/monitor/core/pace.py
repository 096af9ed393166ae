"""Are answers in time? The share of answers over the objective, in blocks, by a bet that may be looked at after each.

The objective is for the 99th percentile: at most 1 % of answers may take longer from arrival to
answer. Slow answers come in runs (one pause delays whatever waits), so what is tested is a block of at
least 100 answers and 5 seconds, whose share over the objective counts as one value in [0, 1]: the
e-detector of `sequential` holds for any bounded value, so nothing is assumed within a block. It takes
about three blocks that are late throughout to alarm.

Times are read where the answer arrives, and are no evidence while the reader itself is behind.
"""

from __future__ import annotations

from typing import Literal

import msgspec
import numpy as np

from services.monitor.core.distributions import quantiles_of
from services.monitor.core.sequential import Detector
from services.monitor.core.state import Floats, empty

SHARE = 0.01
BLOCK_ROWS = 100
BLOCK_SECONDS = 5.0
QUIET_BLOCKS = 3
_OWN_PAUSE = 5.0
_DOUBT_SECONDS = 30.0
_LONG_SECONDS = 60.0
_BLAME_SECONDS = 30.0
_WITH_RELEASE_SECONDS = 15.0
_MOST_KEPT = 20_000


class Late(msgspec.Struct, frozen=True):
    """Answers are late since the time `since` (seconds since 1970): `p99` seconds over the newest block."""

    since: float
    p99: float
    share: float
    answers: int
    evidence: float
    version: str


class Pace(msgspec.Struct):
    """State of the watch. `late` while answers are; `p99` of the newest block, in seconds (NaN: none yet)."""

    waits: Floats = msgspec.field(default_factory=empty)
    begins: float = 0.0
    detector: Detector = msgspec.field(default_factory=Detector)
    since: float = 0.0
    fine: int = 0
    quiet: int = 0
    late: Late | None = None
    p99: float = float("nan")
    share: float = float("nan")
    ticked: float = 0.0
    doubted_until: float = 0.0
    released: tuple[str, float] = ("", 0.0)

    def doubt(self, now: float) -> None:
        """The reader is behind: what it reads in the next half minute is no evidence."""
        self.doubted_until = now + _DOUBT_SECONDS
        self.waits = empty()

    def take(self, waits: Floats, now: float) -> None:
        """Seconds from arrival to answer of answers read now."""
        if now < self.doubted_until:
            return
        if not len(self.waits):
            self.begins = now
        self.waits = np.concatenate([self.waits, waits])[-_MOST_KEPT:]

    def tick(self, now: float, objective: float, rate: float) -> Literal["late", "in time", "as before"]:
        """Judges the block if it is full, at `rate` false alarms per block. `objective` in seconds."""
        if self.ticked and now - self.ticked > _OWN_PAUSE:
            self.doubt(now)
        self.ticked = now
        if len(self.waits) < BLOCK_ROWS or now - self.begins < BLOCK_SECONDS:
            return "as before"
        self.share = float((self.waits > objective).mean())
        self.p99 = quantiles_of(np.sort(self.waits), (0.99,))[0]
        answers, began = len(self.waits), self.begins
        self.waits = empty()
        if self.share > SHARE and (self.quiet or not self.since):
            self.since = began
        self.quiet = 0 if self.share > SHARE else self.quiet + 1
        if self.late is not None:
            return self._on(answers)
        self.fine += self.quiet > 0
        if self.detector.feed(np.array([self.share]), SHARE, rate) is None:
            return "as before"
        self.late = Late(self.since, self.p99, self.share, answers, self.detector.evidence, self._blamed())
        return "late"

    def lasts(self, now: float) -> bool:
        """Whether it is more than a passing pause: for a minute, or half of one where a version is to blame."""
        if self.late is None:
            return False
        return now - self.late.since >= (_BLAME_SECONDS if self.late.version else _LONG_SECONDS)

    def end(self) -> None:
        self.late, self.fine, self.since = None, 0, 0.0
        self.detector.reset()

    def _on(self, answers: int) -> Literal["late", "in time"]:
        if self.quiet >= QUIET_BLOCKS:
            return "in time"
        if self.late is not None:
            self.late = msgspec.structs.replace(self.late, p99=self.p99, share=self.share, answers=answers)
        return "late"

    def _blamed(self) -> str:
        """The version that went live as it began, where answers were in time before."""
        version, at = self.released
        began_with = -BLOCK_SECONDS - 1 <= self.since - at <= _WITH_RELEASE_SECONDS
        return version if version and began_with and self.fine >= QUIET_BLOCKS else ""
