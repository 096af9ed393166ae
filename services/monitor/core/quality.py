"""Is a field still what it was? Checks on short windows of one source, against learned bounds.

The bounds come from the reference with a wide margin, so that prices that rise or a hot summer stay
inside and a change of unit does not: what merely moved is drift, what can no longer be the same
quantity is a fault. Missing values, values out of range and new categories are counted and held
against a binomial bound at the level the budget allows; a frozen value is a run longer than any the
reference makes likely; a level that only a change of unit explains is named. What ends a fault is measured as what
began it, with room between the two: see `right_again`.
"""

from __future__ import annotations

import msgspec
import numpy as np

from services.monitor.core.bounds import Bounds
from services.monitor.core.state import Bools, Floats, Ints
from services.monitor.core.units import change_in_words

_OUT_SHARE = 0.5
_RIGHT_OUT_SHARE = 0.1
_RIGHT_SPREADS = 0.5
_RIGHT_COUNT = 0.6
_CLOSER = 0.5
_MUCH_NEARER = 3.0


class Suspicion(msgspec.Struct, frozen=True):
    """One check of one field that failed on a window: the statistic, its threshold and what it means."""

    column: int
    check: str
    value: float
    threshold: float
    detail: str


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
