"""Has a field become another quantity at once, whatever the factor? Its values against the quantiles it had before.

The distance is that of Kolmogorov and Smirnov, taken at eleven quantiles of the reference only: what a window of 50
rows costs is then a few comparisons. How far the reference's own short windows lie from the whole is learned with it,
so a field that wanders by nature (a price, a season) is never told apart here, and one whose windows all look alike is.
"""

from __future__ import annotations

import msgspec
import numpy as np

from services.monitor.core.distributions import codes_in, quantiles_in
from services.monitor.core.state import Bools, Floats, Ints
from services.monitor.core.units import measured

QUANTILES = (0.01, 0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 0.99)
_LEAST_BLOCKS = 6
_LEAST_PRESENT = 0.5
_LEAST_DISTANCE = 0.4
_UNKNOWN_SOURCE = 0.85
_LEAST_FACTOR = 1.6
_SUDDEN = 4
_LEAST_FIT = 0.2
_MANY = 4
_MOST = 0.5
_WHOLE = 0.8
"""A window that lies nearer by more than this to the reference than the next began before the leap."""


class Shape(msgspec.Struct):
    """`edges` (quantiles by field) of the reference, the `shares` of its values up to each, and how far one of its
    own windows lies from the whole (`own`, by field). NaN: nothing is known.
    """

    edges: Floats
    shares: Floats
    own: Floats

    @classmethod
    def of(cls, width: int) -> Shape:
        """Nothing known of any field yet."""
        return cls(
            np.full((len(QUANTILES), width), np.nan), np.full((len(QUANTILES), width), np.nan), np.full(width, np.nan)
        )

    def learn(self, columns: Ints, present: Floats, ordered: Floats, senders: Ints, rows: int) -> None:
        """Takes the values of these fields (one line each, in order of arrival, and sorted) for what they usually are;
        windows have `rows` rows.
        """
        codes = codes_in(senders)
        blocks = [_blocks(present if len(codes) == 1 else present[:, senders == code], rows) for code in codes]
        own = np.concatenate(blocks)
        if len(own) < _LEAST_BLOCKS:
            return
        edges = quantiles_in(ordered, QUANTILES)
        below = [line.searchsorted(wanted, side="right") for line, wanted in zip(ordered, edges.T, strict=True)]
        shares = np.array(below).T / ordered.shape[1]
        self.edges[:, columns], self.shares[:, columns] = edges, shares
        self.own[columns] = _apart(own, edges, shares).max(axis=0)

    def after(self, before: Shape) -> Shape:
        """This newer shape, in which a field may lie as far from itself as it does from what it was before."""
        known = ~np.isnan(self.own) & ~np.isnan(before.own)
        own = np.fmax(self.own, before.own)
        for column in np.flatnonzero(known).tolist():
            there = np.interp(before.edges[:, column], self.edges[:, column], self.shares[:, column], 0.0, 1.0)
            own[column] = max(float(own[column]), float(np.abs(there - before.shares[:, column]).max()))
        gone = np.isnan(self.own)
        return Shape(np.where(gone, before.edges, self.edges), np.where(gone, before.shares, self.shares), own)

    def keep(self, columns: list[int], other: Shape) -> None:
        """The other's knowledge of some fields."""
        self.edges[:, columns], self.shares[:, columns] = other.edges[:, columns], other.shares[:, columns]
        self.own[columns] = other.own[columns]

    def forget(self) -> None:
        self.edges[:], self.shares[:], self.own[:] = np.nan, np.nan, np.nan

    def distances(self, windows: Floats) -> Floats:
        """How far each field of each window (windows, rows, fields) lies from the reference, in [0, 1].

        NaN where nothing is known of the field, or half of its values are missing.
        """
        return _apart(windows, self.edges, self.shares)

    def distance(self, column: int, cells: Floats) -> float:
        """As `distances`, of one field."""
        return float(_apart(cells[None, :, None], self.edges[:, [column]], self.shares[:, [column]])[0, 0])

    @property
    def limits(self) -> Floats:
        """The distance that tells a window clearly apart: the further, the more the field wanders by itself."""
        limits: Floats = np.maximum(_LEAST_DISTANCE, 0.1 + 1.5 * self.own)
        return limits

    def factor(self, column: int, cells: Floats) -> float | None:
        """What the field was multiplied by: the factor that makes its values like the reference; None without one."""
        cells = cells[~np.isnan(cells)]
        edges, shares = self.edges[:, column], self.shares[:, column]
        with np.errstate(divide="ignore", invalid="ignore"):
            tried = np.quantile(cells, QUANTILES) / edges
        tried = tried[np.isfinite(tried) & (tried > 0)]
        if not len(tried):
            return None
        middle = np.median(tried)
        factors = np.append(tried, middle)
        factors = factors[np.abs(np.log(factors / middle)).argsort(kind="stable")]  # of several that fit, the middle
        scaled = cells[None, :, None] / factors[:, None, None]
        far = _apart(scaled - 1e-9 * np.abs(scaled), edges[:, None], shares[:, None])[:, 0]
        best = int(far.argmin())
        found = float(factors[best])
        fits = far[best] <= max(_LEAST_FIT, float(self.own[column]))
        return found if fits and max(found, 1 / found) >= _LEAST_FACTOR else None


class Leap(msgspec.Struct, frozen=True):
    """A field that became another quantity at once: how far it lies, beyond which limit, and its factor."""

    column: int
    distance: float
    limit: float
    factor: float

    @property
    def detail(self) -> str:
        return f"its values are {measured(self.factor)}, all at once, and otherwise as they were"


class Course(msgspec.Struct):
    """What is carried from one window of a source to the next: how long each field has been `unlike` the reference,
    whether it was ever like it (`known`), and the window before.
    """

    unlike: Ints
    known: Bools
    former: Floats

    @classmethod
    def of(cls, width: int) -> Course:
        return cls(np.zeros(width, np.int64), np.zeros(width, bool), np.empty((0, width)))

    def settle(self, column: int) -> None:
        """What the field is now is no leap any more, however unlike the reference; it may leap from being like it."""
        self.unlike[column] = _SUDDEN + 1

    @property
    def leaping(self) -> bool:
        """Whether the next window may show that a field has leapt with the newest."""
        return bool(((self.unlike > 0) & (self.unlike < _SUDDEN)).any())

    def take(self, window: Floats, distance: Floats, shape: Shape, limits: Floats) -> list[Leap]:
        """The fields that leapt: like the reference until shortly before, and apart from it for two windows now.

        None where most fields are unlike the reference: then the rows are others, and no field is to blame.
        """
        calm = distance <= shape.own
        self.unlike = np.where(calm, 0, self.unlike + 1)
        self.known |= calm
        before, self.former = self.former, window
        lately = (self.unlike >= 2) & (self.unlike <= _SUDDEN)
        if not len(before) or not lately.any():
            return []
        strange, judged = np.count_nonzero(~calm & ~np.isnan(distance)), np.count_nonzero(~np.isnan(distance))
        if strange >= _MANY and strange > _MOST * judged:
            return []
        apart = np.where(self.known, limits, np.maximum(limits, _UNKNOWN_SOURCE))
        found = []
        for column in np.flatnonzero(lately & (distance > apart)).tolist():
            both, limit = np.concatenate([before[:, column], window[:, column]]), float(apart[column])
            far = shape.distance(column, both)
            part = shape.distance(column, before[:, column]) < _WHOLE * distance[column]
            factor = shape.factor(column, window[:, column] if part else both) if far > limit else None
            if factor is not None:
                found.append(Leap(column, far, limit, factor))
        return found


def _blocks(values: Floats, rows: int) -> Floats:
    """Windows (windows, rows, fields) of values that come one line per field."""
    whole = values.shape[1] // rows * rows
    return values[:, :whole].reshape(len(values), -1, rows).transpose(1, 2, 0)


def _apart(windows: Floats, edges: Floats, shares: Floats) -> Floats:
    cells = np.ascontiguousarray(windows.transpose(0, 2, 1))  # what is summed lies side by side
    rows = cells.shape[2]
    present = rows - np.isnan(cells).sum(axis=2)
    enough = np.where(present >= _LEAST_PRESENT * rows, present, np.nan)
    counted = np.uint8 if rows < 256 else np.int64  # in bytes it takes two thirds of the time
    up_to = np.add.reduce((cells <= edges[:, None, :, None]).view(np.uint8), axis=3, dtype=counted)
    far: Floats = np.fmax.reduce(np.abs(up_to / enough - shares[:, None, :]))
    return far
