"""Known changes of unit, and whether one explains where a field's values have gone."""

from __future__ import annotations

import math

_FACTORS = (10.0, 100.0, 1000.0, 1024.0, 1e4, 1e5, 1e6, 1e9, 60.0, 3600.0, 3.6, 4.186, 28.35, 7.0, 24.0)
_AFFINE = (
    ("°C to °F", 1.8, 32.0),
    ("°F to °C", 1 / 1.8, -32.0 / 1.8),
    ("°C to K", 1.0, 273.15),
    ("K to °C", 1.0, -273.15),
)


def named_change(level: float, low: float, high: float, middle: float) -> str | None:
    """The change of unit that brings a window's median back among the reference's, or None.

    `low` and `high` bound the medians the reference itself showed; `middle` is their centre. Of
    several that fit, the one that lands nearest to the middle.

    >>> named_change(60.0, 0.05, 0.07, 0.06)
    'times 1000'
    >>> named_change(68.0, 10.0, 25.0, 20.0)
    '°C to °F'
    >>> named_change(0.06, 0.05, 0.07, 0.06) is None
    True
    """
    slack = 0.25 * (high - low) + 1e-12
    best, distance = None, math.inf
    for name, factor, shift in _changes():
        back = (level - shift) / factor
        gap = abs(back - middle)
        if low - slack <= back <= high + slack and gap < distance:
            best, distance = name, gap
    return None if low - slack <= level <= high + slack else best


def _changes() -> list[tuple[str, float, float]]:
    ratios = [(f"times {factor:g}", factor, 0.0) for factor in _FACTORS]
    inverse = [(f"divided by {factor:g}", 1 / factor, 0.0) for factor in _FACTORS]
    return list(_AFFINE) + ratios + inverse
