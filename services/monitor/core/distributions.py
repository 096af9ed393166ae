"""The few tails, quantiles and ranks the monitor needs, from `scipy.special` alone: `scipy.stats` takes longer to
import than everything else of the monitor together. What numpy has too is to the last digit as numpy's, without what
its own functions spend on other shapes and types: on the monitor's short windows that is most of their time.
"""

from __future__ import annotations

import math
from bisect import bisect_left
from collections.abc import Sequence
from functools import lru_cache
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.special import bdtrc, pdtrc, stdtr

from services.monitor.core.state import Floats, Ints

_EXACT = 1 + 1e-12
"""A chance equal to the level but for the last digits is within it."""


def student_tail(value: float, freedom: int) -> float:
    """The chance that Student's t with `freedom` degrees of freedom is above `value`."""
    return float(stdtr(freedom, -value))


@lru_cache(maxsize=1024)
def binomial_limit(level: float, tries: int, share: float) -> int:
    """The smallest count that `tries` of chance `share` each exceed with a chance of at most `level`."""
    return bisect_left(range(tries + 1), True, key=lambda count: bool(bdtrc(count, tries, share) <= level * _EXACT))


def poisson_limit(level: float, mean: float) -> int:
    """The smallest count that a Poisson variable with this mean exceeds with a chance of at most `level`."""
    most = 1
    while pdtrc(most, mean) > level:
        most *= 2
    return bisect_left(range(most + 1), True, key=lambda count: bool(pdtrc(count, mean) <= level))


def quantiles_of(ordered: Floats, shares: Sequence[float]) -> list[float]:
    """`np.quantile` of numbers that are sorted already, at least one of them and none of them NaN."""
    found = []
    for share in shares:
        place = (len(ordered) - 1) * share
        below = math.floor(place)
        low, high = float(ordered[below]), float(ordered[min(below + 1, len(ordered) - 1)])
        part = place - below
        found.append(high - (high - low) * (1 - part) if part >= 0.5 else low + (high - low) * part)
    return found


def quantiles_in(ordered: Floats, shares: Sequence[float]) -> Floats:
    """As `quantiles_of`, of several lines of numbers, each sorted already: one line of quantiles per share."""
    last = ordered.shape[1] - 1
    found = np.empty((len(shares), len(ordered)))
    for line, share in enumerate(shares):
        below = math.floor(last * share)
        low, high, part = ordered[:, below], ordered[:, min(below + 1, last)], last * share - below
        found[line] = high - (high - low) * (1 - part) if part >= 0.5 else low + (high - low) * part
    return found


def median_of(ordered: Floats) -> float:
    """`np.median` of numbers that are sorted already, at least one of them and none of them NaN."""
    half = len(ordered) // 2
    middle = float(ordered[half])
    return middle if len(ordered) % 2 else (float(ordered[half - 1]) + middle) / 2


def order_of(values: Floats) -> Ints:
    """The stable `np.argsort` of numbers of which none is NaN."""
    order = np.argsort(values)
    ordered = values[order]
    changes = ordered[1:] != ordered[:-1]
    if changes.all():
        return order
    group = np.concatenate([[0], np.cumsum(changes)])
    return order[np.argsort(group * len(order) + order)]


def ranks_of(values: Floats | Ints) -> Floats:
    """The rank of each value from 1; equal ones share the mean of theirs."""
    order = np.argsort(values)
    found = np.empty(len(values))
    found[order] = ranks_of_sorted(values[order])
    return found


def ranks_of_sorted(ordered: Floats | Ints) -> Floats:
    """As `ranks_of`, of values that are sorted already, in their order."""
    begins = np.flatnonzero(np.concatenate([[True], ordered[1:] != ordered[:-1]]))
    count = np.diff(np.concatenate([begins, [len(ordered)]]))
    return np.repeat(begins + (count + 1) / 2, count)


def correlation(one: Floats, other: Floats) -> float:
    """Pearson's correlation of numbers that vary, as `np.corrcoef`."""
    found = covariance(one, other)
    spread = np.sqrt(found.diagonal())
    return max(min(float(found[0, 1] / spread[0] / spread[1]), 1.0), -1.0)


def covariance(one: Floats, other: Floats) -> Floats:
    """`np.cov` of two rows of numbers."""
    pair = np.array((one, other))
    pair -= pair.mean(axis=1)[:, None]
    found: Floats = np.dot(pair, pair.T)
    found *= 1 / (pair.shape[1] - 1)
    return found


def rank_correlation(one: Floats | Ints, other: Floats | Ints) -> float:
    """Spearman's correlation: Pearson's of the ranks."""
    return correlation(ranks_of(one), ranks_of(other))


def codes_in(codes: NDArray[Any]) -> list[int]:
    """The codes that occur, in order: mostly it is a single one."""
    if not len(codes):
        return []
    return [int(codes[0])] if (codes == codes[0]).all() else [int(code) for code in np.unique(codes)]
