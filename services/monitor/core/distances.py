"""How far two distributions lie apart, of many fields at once: one line per field."""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache

import numpy as np

from services.monitor.core.state import Floats, Ints


def ks(own: Floats, ordered: Sequence[Floats]) -> Floats:
    """The largest gaps between distribution functions: of `own` values, one line per field, and of each field's
    `ordered` ones; all of them sorted.
    """
    rows, sizes = own.shape[1], np.array([len(each) for each in ordered])[:, None]
    lower = np.array([each.searchsorted(line, side="left") for each, line in zip(ordered, own, strict=True)])
    upper = lower.copy()
    for each, line, low, up in zip(ordered, own, lower, upper, strict=True):
        met = each.take(low, mode="clip") == line
        if met.any():
            up[met] = each.searchsorted(line[met], side="right")
    begins, ends = np.arange(rows), np.arange(1, rows + 1)
    fresh = own[:, 1:] != own[:, :-1]
    if not fresh.all():  # equal values make one step
        begins = np.maximum.accumulate(np.where(np.insert(fresh, 0, True, axis=1), begins, 0), axis=1)
        last = np.where(np.insert(fresh, rows - 1, True, axis=1), ends, rows)
        ends = np.minimum.accumulate(last[:, ::-1], axis=1)[:, ::-1]
    above, below = ends / rows - upper / sizes, begins / rows - lower / sizes
    found: Floats = np.maximum(np.abs(above).max(axis=1), np.abs(below).max(axis=1))
    return found


def wasserstein(own: Floats, ordered: Floats) -> float:
    """The area between the two quantile functions, of values that are sorted (1-Wasserstein)."""
    there, usual, widths = _steps(len(own), len(ordered))
    return float(np.abs(own[there] - ordered[usual]) @ widths)


@lru_cache(maxsize=64)
def _steps(one: int, other: int) -> tuple[Ints, Ints, Floats]:
    """Where the quantile functions of samples of these sizes are both level: place in each, and width in [0, 1]."""
    cuts = np.union1d(np.arange(one) * other, np.arange(other) * one)
    return cuts // other, cuts // one, np.diff(cuts, append=one * other) / (one * other)


def chi_distance(one: Floats, other: Floats) -> Floats:
    """By line of shares."""
    pooled, squares = (one + other) / 2, (one - other) ** 2
    used = pooled > 0
    if used.all():
        found: Floats = (squares / pooled).sum(axis=1)
        return found
    return np.array([(s[u] / p[u]).sum() for s, p, u in zip(squares, pooled, used, strict=True)])


def psi(one: Floats, other: Floats) -> Floats:
    """Population stability index, by line of shares; empty bins count as 0.1 per mille."""
    a, b = np.maximum(one, 1e-4), np.maximum(other, 1e-4)
    found: Floats = ((a - b) * np.log(a / b)).sum(axis=1)
    return found


def js(one: Floats, other: Floats) -> Floats:
    """Jensen-Shannon distance in [0, 1], base 2, by line of shares."""
    middle = (one + other) / 2
    with np.errstate(divide="ignore", invalid="ignore"):
        parts = np.where(one > 0, one * np.log2(one / middle), 0) + np.where(
            other > 0, other * np.log2(other / middle), 0
        )
    found: Floats = np.sqrt(np.maximum(0.0, parts.sum(axis=1) / 2))
    return found
