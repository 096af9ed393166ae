"""What the watch of the inputs is made of: sizes, what is carried from window to window, faults, closed windows."""

from __future__ import annotations

from typing import NamedTuple

import msgspec

from services.monitor.core.drift import Shift
from services.monitor.core.quality import Suspicion
from services.monitor.core.shape import Course
from services.monitor.core.state import Floats, Ints


class Sizes(msgspec.Struct, frozen=True):
    """Rows of a data window and of the reference; false-alarm levels of one quality check and one drift window.

    `ranges`: whether a value far from the usual is a fault (in anomaly pipelines it is what is looked for).
    """

    window: int
    reference: int
    quality_level: float
    drift_level: float
    ranges: bool = True


class Stream(msgspec.Struct):
    """What is carried from one short window of a source to the next."""

    values: Floats
    places: Ints
    last: Floats
    run: Floats
    course: Course
    before: int = -1
    earlier: int = -1
    rows: int = 0
    last_place: int = 0
    longest_gap: int = 1
    turns: int = 0

    @property
    def reach(self) -> int:
        """The first arrival that a fault noticed in the next window may begin with: a leap is told by two windows."""
        return self.earlier if self.course.leaping and self.earlier >= 0 else self.before


class Fault(msgspec.Struct):
    """A field of a source at fault since arrival `since`, when it lay `moved` from what it was (in [0, 1]); `quiet`
    counts clean windows in a row. `level`: the median of the newest window that showed it with values in it (NaN: of
    none).
    """

    column: int
    source: int
    since: int
    until: int
    suspicion: Suspicion
    moved: float
    windows: int = 1
    quiet: int = 0
    level: float = float("nan")


class Accepted(NamedTuple):
    """A fault that a person ended, and whether there was anything left of it to learn from."""

    fault: Fault
    learned: bool


class DataWindow(msgspec.Struct, frozen=True):
    """A closed data window: its figures by metric name, and the shifts that are significant.

    `far_rows` lie far outside the usual ranges, without the cells doubted; `faulty_rows` with them.
    """

    index: int
    first: int
    last: int
    values: dict[str, float]
    moved: list[Shift]
    far_rows: int
    faulty_rows: int
    tested: bool
