"""What is usual of each field, learned from reference rows: the bounds that its short windows are held against.

Fields without a gap, mostly all of them, are learned as one matrix, one line per field, since small arrays cost more to
handle than to compute; the others, each of its own rows, go the same way as a matrix of one line.
"""

from __future__ import annotations

from collections.abc import Collection

import msgspec
import numpy as np

from services.monitor.core.distributions import binomial_limit, codes_in, quantiles_in, ranks_of_sorted
from services.monitor.core.fields import MOST_CATEGORIES
from services.monitor.core.shape import Shape
from services.monitor.core.state import Bools, Floats, Ints, empty

WINDOW = 50
_FLOOR = 0.01
_LEAST_SHARE = 0.1
_TREND = 0.9
_LEAST_CHANGES = 20
_LONGEST_RUN = 1000.0


class Bounds(msgspec.Struct):
    """What the reference allows, one number per field. Infinite or NaN where a check does not apply.

    `low`, `high`: the plausible range. `level_low`, `level_high`: the medians seen over short windows.
    `spread`: how much these and the values vary. `run`: the longest run of one value that is likely.
    `missing`, `fresh`: the counts of missing cells and of new categories in a window that are too many;
    where new ones are no news (`fresh` infinite), no `categories` are kept. `shape`: how the values lie.
    `bare`: the most missing cells that a window of the reference had.
    """

    low: Floats
    high: Floats
    level_low: Floats
    level_high: Floats
    spread: Floats
    run: Floats
    missing: Floats
    fresh: Floats
    categories: list[list[int]]
    shape: Shape
    bare: Floats = msgspec.field(default_factory=empty)

    def __post_init__(self) -> None:
        if len(self.bare) != len(self.missing):  # a state from before it was kept
            self.bare = np.zeros(len(self.missing))

    def widened_by(self, other: Bounds) -> Bounds:
        """Bounds that allow what either allows: what was once normal stays plausible."""
        return Bounds(
            np.fmin(self.low, other.low),
            np.fmax(self.high, other.high),
            np.fmin(self.level_low, other.level_low),
            np.fmax(self.level_high, other.level_high),
            np.fmax(self.spread, other.spread),
            np.fmax(self.run, other.run),
            np.fmax(self.missing, other.missing),
            np.fmax(self.fresh, other.fresh),
            [sorted({*a, *b}) for a, b in zip(self.categories, other.categories, strict=True)],
            self.shape.after(other.shape),
            np.fmax(self.bare, other.bare),
        ).without_endless()

    def without_endless(self) -> Bounds:
        """The same, with nothing new expected of a field of more categories than have a code of their own."""
        for column, known in enumerate(self.categories):
            if len(known) > MOST_CATEGORIES:
                self.fresh[column] = np.inf
            if self.fresh[column] == np.inf:
                self.categories[column] = []
        return self

    def without_ranges(self) -> Bounds:
        """The same, with nothing said of which values and levels are plausible."""
        for limits in (self.low, self.high, self.level_low, self.level_high, self.spread):
            limits[:] = np.nan
        self.shape.forget()
        return self

    def except_for(self, columns: Collection[int], other: Bounds) -> Bounds:
        """These bounds, but the other's for some fields."""
        chosen = sorted(columns)
        for name in ("low", "high", "level_low", "level_high", "spread", "run", "missing", "fresh", "bare"):
            getattr(self, name)[chosen] = getattr(other, name)[chosen]
        for column in chosen:
            self.categories[column] = other.categories[column]
        self.shape.keep(chosen, other.shape)
        return self


def bounds_of(values: Floats, sources: Ints, categorical: Bools, level: float, doubted: Bools | None = None) -> Bounds:
    """Learns the bounds from reference rows in order of arrival (NaN: missing), without the cells `doubted`.

    New categories are expected as often as values occur once (the unseen mass: Good 1953).
    `level` is the false-alarm probability of one check on one window of `WINDOW` rows. A field that
    only grows (a clock, a counter) or hardly ever changes (a month, a setting) gets no range.
    """
    width = values.shape[1]
    low, high, level_low, level_high, spread = np.full((5, width), np.nan)
    run, fresh = np.full((2, width), np.inf)
    known: list[list[int]] = [[] for _ in range(width)]
    missing, bare = np.full(width, _too_many(0.0, level)), np.zeros(width)
    out = Bounds(low, high, level_low, level_high, spread, run, missing, fresh, known, Shape.of(width), bare)
    apart = categorical | np.isnan(values).any(axis=0)
    if doubted is not None:
        apart |= doubted.any(axis=0)
    whole = np.flatnonzero(~apart)
    if len(whole) and len(values):
        _learn_numbers(out, whole, np.ascontiguousarray(values[:, whole].T), sources, level)
    for column in np.flatnonzero(apart).tolist():
        kept = slice(None) if doubted is None else ~doubted[:, column]
        _learn_apart(out, column, values[kept, column], sources[kept], bool(categorical[column]), level)
    return out.without_endless()


def is_clock(cells: Floats) -> bool:
    """Whether a field follows the order of the rows, up or down, as a date or a counter does."""
    present = cells[~np.isnan(cells)]
    order = np.argsort(present)
    return bool(_follow(order[None, :], present[order][None, :])[0])


def _learn_apart(out: Bounds, column: int, cells: Floats, sources: Ints, categorical: bool, level: float) -> None:
    """Learns a field that has gaps, or categories."""
    there = ~np.isnan(cells)
    worst = _worst_block(~there)
    out.missing[column], out.bare[column] = _too_many(worst, level), WINDOW * worst
    present, senders = cells[there], sources[there]
    if not len(present):
        return
    if not categorical:
        _learn_numbers(out, np.array([column]), present[None, :], senders, level)
        return
    codes, counts = np.unique(present, return_counts=True)
    out.categories[column] = codes.astype(int).tolist()
    if len(codes) <= 0.5 * len(present):
        out.fresh[column] = _too_many(float((counts == 1).sum()) / len(present), level)
    if len(codes) > 1:
        out.run[column] = _likely_runs(present[None, :], senders, level)[0]


def _learn_numbers(out: Bounds, columns: Ints, present: Floats, senders: Ints, level: float) -> None:
    """Learns fields of numbers from their values in order of arrival, one line per field, and who sent each."""
    out.run[columns] = np.where(np.ptp(present, axis=1) > 0, _likely_runs(present, senders, level), np.inf)
    varied = np.count_nonzero(np.diff(present, axis=1), axis=1) >= _LEAST_CHANGES
    columns, present = columns[varied], present[varied]
    if not len(columns):
        return
    order = np.argsort(present, axis=1)
    ordered = np.take_along_axis(present, order, axis=1)
    plain = ~_follow(order, ordered)
    columns, present, ordered = columns[plain], present[plain], ordered[plain]
    if len(columns):
        _learn_ranges(out, columns, present, ordered)
        out.shape.learn(columns, present, ordered, senders, WINDOW)


def _learn_ranges(out: Bounds, columns: Ints, present: Floats, ordered: Floats) -> None:
    low, quarter, three_quarters, high = quantiles_in(ordered, (0.001, 0.25, 0.75, 0.999))
    flat = high <= low
    low, high = np.where(flat, ordered[:, 0], low), np.where(flat, ordered[:, -1], high)
    count = present.shape[1] // WINDOW
    blocks = np.sort(present[:, : count * WINDOW].reshape(len(present), count, WINDOW), axis=2)
    middle = blocks[:, :, WINDOW // 2 - 1 : WINDOW // 2 + 1]
    levels = middle.mean(axis=2) if count else np.median(present, axis=1, keepdims=True)
    width = high - low
    out.low[columns], out.high[columns] = low - width, high + width
    out.level_low[columns], out.level_high[columns] = levels.min(axis=1), levels.max(axis=1)
    out.spread[columns] = np.maximum(np.maximum(np.ptp(levels, axis=1), three_quarters - quarter), 0.1 * width)


def _follow(order: Ints, ordered: Floats) -> Bools:
    """Which fields, one line each, follow the order of the rows: of values that are sorted, and where each stood."""
    rows = ordered.shape[1]
    found = np.zeros(len(ordered), bool)
    if rows < WINDOW:
        return found
    places, ranks = order - (rows - 1) / 2, np.arange(rows) - (rows - 1) / 2
    even = places @ ranks / (ranks @ ranks)  # the rank correlation, where no two values are equal
    ties = (ordered[:, 1:] == ordered[:, :-1]).any(axis=1)
    for line in np.flatnonzero(ties & (ordered[:, 0] < ordered[:, -1])).tolist():
        shared = ranks_of_sorted(ordered[line]) - (rows + 1) / 2
        even[line] = places[line] @ shared / np.sqrt((ranks @ ranks) * (shared @ shared))
    found[:] = (np.abs(even) > _TREND) & (ordered[:, 0] < ordered[:, -1])
    return found


def _worst_block(flags: Bools) -> float:
    whole = len(flags) // WINDOW * WINDOW
    if whole:
        return float(flags[:whole].reshape(-1, WINDOW).mean(axis=1).max())
    return float(flags.mean()) if len(flags) else 0.0


def _too_many(share: float, level: float) -> float:
    """The count in a window that a field missing with this share reaches with probability `level`."""
    usual = max(share, _FLOOR)
    if usual >= 1.0:
        return float("inf")
    count = float(binomial_limit(level, WINDOW, usual)) + 1
    return max(count, WINDOW * min(1.0, share + _LEAST_SHARE))


def _likely_runs(present: Floats, senders: Ints, level: float) -> Floats:
    """The run of equal values that is too long, by field: unlikely by how often neighbours repeat, and thrice the
    longest.
    """
    longest, repeats, pairs = np.ones(len(present)), np.zeros(len(present)), 0
    for source in (codes := codes_in(senders)):
        own = present if len(codes) == 1 else present[:, senders == source]
        same = own[:, 1:] == own[:, :-1]
        repeats, pairs = repeats + np.count_nonzero(same, axis=1), pairs + same.shape[1]
        for line in np.flatnonzero(same.any(axis=1)).tolist():
            breaks = np.flatnonzero(np.concatenate([[True], ~same[line], [True]]))
            longest[line] = max(longest[line], np.diff(breaks).max())
    repeat = (repeats + 1) / (pairs + 2)
    limits = np.maximum(np.maximum(WINDOW, 3.0 * longest), np.log(level / WINDOW) / np.log(repeat))
    return np.where(limits <= _LONGEST_RUN, limits, np.inf)
