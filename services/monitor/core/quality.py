"""Is a field still what it was? Checks on short windows of one source, against learned bounds.

The bounds come from the reference with a wide margin, so that prices that rise or a hot summer stay
inside and a change of unit does not: what merely moved is drift, what can no longer be the same
quantity is a fault. Missing values, values out of range and new categories are counted and held
against a binomial bound at the level the budget allows; a frozen value is a run longer than any the
reference makes likely; a level that only a change of unit explains is named. What ends a fault is measured as what
began it, with room between the two: see `right_again`.
"""

from __future__ import annotations

from collections.abc import Collection

import msgspec
import numpy as np

from services.monitor.core.distributions import binomial_limit, codes_in, correlation, quantiles_of, ranks_in
from services.monitor.core.fields import MOST_CATEGORIES
from services.monitor.core.shape import Shape
from services.monitor.core.state import Bools, Floats, Ints, empty
from services.monitor.core.units import change_in_words

WINDOW = 50
_FLOOR = 0.01
_LEAST_SHARE = 0.1
_OUT_SHARE = 0.5
_TREND = 0.9
_LEAST_CHANGES = 20
_LONGEST_RUN = 1000.0
_RIGHT_OUT_SHARE = 0.1
_RIGHT_SPREADS = 0.5
_RIGHT_COUNT = 0.6
_CLOSER = 0.5
_MUCH_NEARER = 3.0


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


class Suspicion(msgspec.Struct, frozen=True):
    """One check of one field that failed on a window: the statistic, its threshold and what it means."""

    column: int
    check: str
    value: float
    threshold: float
    detail: str


def bounds_of(values: Floats, sources: Ints, categorical: Bools, level: float, doubted: Bools | None = None) -> Bounds:
    """Learns the bounds from reference rows in order of arrival (NaN: missing), without the cells `doubted`.

    New categories are expected as often as values occur once (the unseen mass: Good 1953).
    `level` is the false-alarm probability of one check on one window of `WINDOW` rows. A field that
    only grows (a clock, a counter) or hardly ever changes (a month, a setting) gets no range.
    """
    width = values.shape[1]
    low, high, level_low, level_high, spread, run, missing, fresh = np.full((8, width), np.nan)
    known: list[list[int]] = [[] for _ in range(width)]
    out = Bounds(low, high, level_low, level_high, spread, run, missing, fresh, known, Shape.of(width))
    for column in range(width):
        cells, senders = values[:, column].copy(), sources
        if doubted is not None and doubted[:, column].any():
            kept = ~doubted[:, column]
            cells, senders = cells[kept], sources[kept]
        present = cells[~np.isnan(cells)]
        worst = _worst_block(np.isnan(cells))
        out.missing[column], out.bare[column] = _too_many(worst, level), WINDOW * worst
        out.fresh[column], out.run[column] = np.inf, np.inf
        if not len(present):
            continue
        if categorical[column]:
            codes, counts = np.unique(present, return_counts=True)
            out.categories[column] = codes.astype(int).tolist()
            if len(codes) <= 0.5 * len(present):
                out.fresh[column] = _too_many(float((counts == 1).sum()) / len(present), level)
        elif np.count_nonzero(np.diff(present)) >= _LEAST_CHANGES:
            order = np.argsort(present)
            ordered = present[order]
            if not _follows(order, ordered):
                _learn_range(out, column, present, ordered)
                out.shape.learn(column, present, ordered, senders[~np.isnan(cells)], WINDOW)
        if np.ptp(present) > 0:
            out.run[column] = _likely_run(cells, senders, level)
    return out.without_endless()


def suspicions(windows: Floats, bounds: Bounds, runs: Floats) -> list[list[Suspicion]]:
    """For each window (shape: windows, rows, fields) the checks that failed by themselves.

    `runs`: for each window and field, how many rows up to its end repeat one value (see `frozen_runs`).
    """
    rows = windows.shape[1]
    present = rows - np.isnan(windows).sum(axis=1)
    medians = _medians(windows, present)
    out = ((windows < bounds.low) | (windows > bounds.high)).sum(axis=1)
    far = _is_far(medians, bounds)
    strange = _new_categories(windows, bounds)
    flagged = (
        (rows - present >= bounds.missing)
        | ((out >= _OUT_SHARE * present) & (out > 0))
        | far
        | (runs >= bounds.run)
        | (strange >= bounds.fresh)
    )
    found: list[list[Suspicion]] = [[] for _ in windows]
    if not flagged.any():
        return found
    for window, column in np.argwhere(flagged):
        missing, outside = int(rows - present[window, column]), int(out[window, column])
        found[window] += _named(
            int(column),
            bounds,
            float(medians[window, column]),
            missing / rows,
            outside / max(1, int(present[window, column])),
            bool(far[window, column]),
            float(runs[window, column]),
            float(strange[window, column]) / rows,
            rows,
        )
    return found


def right_again(window: Floats, bounds: Bounds, began: Suspicion, moved: float, level: float) -> bool:
    """Whether a window (rows, fields) shows that what `began` is over, by the same measure and not just barely.

    `bounds` are those from before the fault, and `moved` is how far the field lay from them when it was
    noticed: it must have come at least half of the way back, or, for fields that wander, lie much nearer to their
    levels than to `level`, its median while at fault. Nothing is said of a window too empty to tell.
    """
    cells, column = window[:, began.column], began.column
    present = cells[~np.isnan(cells)]
    if began.check == "missing":
        return bool(len(cells) - len(present) <= max(_RIGHT_COUNT * bounds.missing[column], bounds.bare[column]))
    if began.check == "new_category":
        known = bounds.categories[column]
        return not known or bool(np.count_nonzero(~np.isin(present, known)) <= _RIGHT_COUNT * bounds.fresh[column])
    if began.check == "frozen":
        return True
    return 2 * len(present) >= len(cells) and _lies_right(present, column, bounds, moved, level)


def _lies_right(present: Floats, column: int, bounds: Bounds, moved: float, fault_level: float) -> bool:
    """Whether the values lie where they did: within the range, around one of the levels, in the same proportions."""
    far = bounds.shape.distance(column, present)
    if far > bounds.shape.limits[column]:
        return False
    outside = np.count_nonzero((present < bounds.low[column]) | (present > bounds.high[column]))
    slack, level = _RIGHT_SPREADS * bounds.spread[column], float(np.median(present))
    if outside <= _RIGHT_OUT_SHARE * len(present) and _is_back(level, fault_level, column, bounds, slack):
        return True
    if level < bounds.level_low[column] - slack or level > bounds.level_high[column] + slack:
        return False
    near = np.isnan(far) or far <= max(float(bounds.shape.own[column]), _CLOSER * moved)
    return bool(near and outside <= _RIGHT_OUT_SHARE * len(present))


def level_of(cells: Floats) -> float:
    """The median of the values that are there; NaN where there are none."""
    present = cells[~np.isnan(cells)]
    return float(np.median(present)) if len(present) else float("nan")


def _is_back(level: float, fault_level: float, column: int, bounds: Bounds, slack: float) -> bool:
    """Whether the level lies much nearer to the usual ones than to that of the fault, which was far from them."""
    usual = float(np.clip(level, bounds.level_low[column], bounds.level_high[column]))
    from_fault = abs(level - fault_level)
    return from_fault > 2 * slack and _MUCH_NEARER * abs(level - usual) <= from_fault


def frozen_runs(windows: Floats, last: Floats, run: Floats) -> tuple[Floats, Floats, Floats]:
    """How many rows each field has repeated one value, at the end of each window; and the new carry.

    `last` and `run` carry over from the window before. Only windows that are constant throughout
    count, so that a run is known to within a window.
    """
    out = np.zeros((len(windows), windows.shape[2]))
    constant = (windows == windows[:, :1]).all(axis=1)
    if not constant.any():
        return out, windows[-1, -1].copy(), out[-1].copy()
    for place, window in enumerate(windows):
        run = np.where(constant[place], np.where(window[0] == last, run, 0.0) + len(window), 0.0)
        last = window[-1].copy()
        out[place] = run
    return out, last, run


def _learn_range(out: Bounds, column: int, present: Floats, ordered: Floats) -> None:
    low, quarter, three_quarters, high = quantiles_of(ordered, (0.001, 0.25, 0.75, 0.999))
    low, high = (float(ordered[0]), float(ordered[-1])) if high <= low else (low, high)
    blocks = np.sort(present[: len(present) // WINDOW * WINDOW].reshape(-1, WINDOW), axis=1)
    middle = blocks[:, WINDOW // 2 - 1 : WINDOW // 2 + 1]
    levels = middle.mean(axis=1) if len(blocks) else np.array([np.median(present)])
    width = high - low
    out.low[column], out.high[column] = low - width, high + width
    out.level_low[column], out.level_high[column] = levels.min(), levels.max()
    out.spread[column] = max(float(np.ptp(levels)), three_quarters - quarter, 0.1 * width)


def is_clock(cells: Floats) -> bool:
    """Whether a field follows the order of the rows, up or down, as a date or a counter does."""
    present = cells[~np.isnan(cells)]
    order = np.argsort(present)
    return _follows(order, present[order])


def _follows(order: Ints, ordered: Floats) -> bool:
    """As `is_clock`, of values that are sorted already, and where each of these stood."""
    if len(ordered) < WINDOW or ordered[0] == ordered[-1]:
        return False
    return abs(correlation(np.arange(1.0, len(ordered) + 1), ranks_in(order, ordered))) > _TREND


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


def _likely_run(cells: Floats, sources: Ints, level: float) -> float:
    """The run of equal values that is too long: unlikely by how often neighbours repeat, and thrice the longest."""
    longest, repeats, pairs = 1, 0, 0
    for source in codes_in(sources):
        own = cells[sources == source]
        own = own[~np.isnan(own)]
        same = own[1:] == own[:-1]
        repeats, pairs = repeats + int(same.sum()), pairs + len(same)
        breaks = np.flatnonzero(np.concatenate([[True], ~same, [True]]))
        longest = max(longest, int(np.diff(breaks).max())) if len(own) else longest
    repeat = (repeats + 1) / (pairs + 2)
    limit = max(float(WINDOW), 3.0 * longest, np.log(level / WINDOW) / np.log(repeat))
    return limit if limit <= _LONGEST_RUN else float("inf")


def _medians(windows: Floats, present: Ints) -> Floats:
    """The (lower) median of each column of windows, `present` of whose cells are no NaN."""
    middle, whole = (windows.shape[1] - 1) // 2, windows.shape[1]
    if (present == whole).all():
        return np.partition(windows, middle, axis=1)[:, middle]
    ordered = np.sort(windows, axis=1)
    place = np.maximum((present - 1) // 2, 0)
    taken: Floats = np.take_along_axis(ordered, place[:, None, :], axis=1)[:, 0, :]
    return taken


def _is_far(level: Floats, bounds: Bounds) -> Bools:
    """Whether a window's median lies where only another unit explains it (checked further when named)."""
    away = (level < bounds.level_low - 1.5 * bounds.spread) | (level > bounds.level_high + 1.5 * bounds.spread)
    low = (bounds.level_low > level) & (level > 0)
    if not low.any():
        return np.asarray(away, bool)
    with np.errstate(divide="ignore", invalid="ignore"):
        decades = np.log10(bounds.level_high / bounds.level_low)
        sunk = np.log10(bounds.level_low / level) > np.fmax(0.9, decades + 0.5)
    return np.asarray(away | (low & sunk))


def _new_categories(windows: Floats, bounds: Bounds) -> Floats:
    out = np.zeros((len(windows), windows.shape[2]))
    for column, known in enumerate(bounds.categories):
        if known:
            cells = windows[:, :, column]
            out[:, column] = (~np.isin(cells, known) & ~np.isnan(cells)).sum(axis=1)
    return out


def _named(
    column: int,
    bounds: Bounds,
    level: float,
    missing: float,
    outside: float,
    far: bool,
    run: float,
    fresh: float,
    rows: int,
) -> list[Suspicion]:
    found = []
    low, high = float(bounds.level_low[column]), float(bounds.level_high[column])
    unit = change_in_words(level, low, high) if far else None
    if unit is not None:
        edge = high if level > high else low
        found.append(Suspicion(column, "unit", level, edge, unit))
    if outside >= _OUT_SHARE:
        span = f"{bounds.low[column]:.4g} to {bounds.high[column]:.4g}"
        found.append(Suspicion(column, "out_of_range", outside, _OUT_SHARE, f"{outside:.0%} of values out of {span}"))
    if missing * rows >= bounds.missing[column]:
        limit = float(bounds.missing[column]) / rows
        found.append(Suspicion(column, "missing", missing, limit, f"{missing:.0%} of values missing"))
    if fresh * rows >= bounds.fresh[column]:
        limit = float(bounds.fresh[column]) / rows
        found.append(Suspicion(column, "new_category", fresh, limit, f"{fresh:.0%} of values in categories never seen"))
    if run >= bounds.run[column]:
        found.append(Suspicion(column, "frozen", run, float(bounds.run[column]), f"one value for {run:.0f} rows"))
    return found
