"""The few tails and ranks the monitor needs, from `scipy.special` alone: `scipy.stats` takes longer to import
than everything else of the monitor together.
"""

from __future__ import annotations

from bisect import bisect_left

import numpy as np
from scipy.special import bdtrc, pdtrc, stdtr

from services.monitor.core.state import Floats, Ints

_EXACT = 1 + 1e-12
"""A chance equal to the level but for the last digits is within it."""


def student_tail(value: float, freedom: int) -> float:
    """The chance that Student's t with `freedom` degrees of freedom is above `value`."""
    return float(stdtr(freedom, -value))


def binomial_limit(level: float, tries: int, share: float) -> int:
    """The smallest count that `tries` of chance `share` each exceed with a chance of at most `level`."""
    return bisect_left(range(tries + 1), True, key=lambda count: bool(bdtrc(count, tries, share) <= level * _EXACT))


def poisson_limit(level: float, mean: float) -> int:
    """The smallest count that a Poisson variable with this mean exceeds with a chance of at most `level`."""
    most = 1
    while pdtrc(most, mean) > level:
        most *= 2
    return bisect_left(range(most + 1), True, key=lambda count: bool(pdtrc(count, mean) <= level))


def ranks_of(values: Floats | Ints) -> Floats:
    """The rank of each value from 1; equal ones share the mean of theirs."""
    _, place, count = np.unique(values, return_inverse=True, return_counts=True)
    last = np.cumsum(count)
    return np.asarray((last - (count - 1) / 2)[place], np.float64)


def rank_correlation(one: Floats | Ints, other: Floats | Ints) -> float:
    """Spearman's correlation: Pearson's of the ranks."""
    return float(np.corrcoef(ranks_of(one), ranks_of(other))[0, 1])
