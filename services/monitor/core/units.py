"""Known changes of unit, and whether one explains where a field's values have gone."""

from __future__ import annotations

_DECADES = (10.0, 100.0, 1e3, 1e4, 1e5, 1e6, 1e9)
_TEMPERATURES = (
    ("°C to °F", 1.8, 32.0),
    ("°F to °C", 1 / 1.8, -32.0 / 1.8),
    ("°C to K", 1.0, 273.15),
    ("K to °C", 1.0, -273.15),
)
_OTHERS = (60.0, 3600.0, 3.6)


def named_change(level: float, low: float, high: float, middle: float) -> str | None:
    """The change of unit that brings a window's median back among the reference's, or None.

    `low` and `high` bound the medians the reference itself showed; `middle` is their centre. Powers
    of ten and temperatures are tried before the rest; of several that fit, the one that lands nearest
    to the middle is named. Factors near one (miles, pounds) are left to drift: the world moves as far.

    >>> named_change(60.0, 0.05, 0.07, 0.06)
    'times 1000'
    >>> named_change(68.0, 10.0, 25.0, 20.0)
    '°C to °F'
    >>> named_change(0.06, 0.05, 0.07, 0.06) is None
    True
    """
    slack = 0.25 * (high - low) + 1e-12
    if low - slack <= level <= high + slack:
        return None
    for family in ((*_ratios(_DECADES), *_TEMPERATURES), _ratios(_OTHERS)):
        back = [((level - shift) / factor, name) for name, factor, shift in family]
        fitting = [(abs(value - middle), name) for value, name in back if low - slack <= value <= high + slack]
        if fitting:
            return min(fitting)[1]
    return None


def _ratios(factors: tuple[float, ...]) -> tuple[tuple[str, float, float], ...]:
    times = tuple((f"times {factor:g}", factor, 0.0) for factor in factors)
    return times + tuple((f"divided by {factor:g}", 1 / factor, 0.0) for factor in factors)
