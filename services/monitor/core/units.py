"""Known changes of unit, and whether one explains where a field's values have gone."""

from __future__ import annotations

from math import log as _log

_DECADES = (10.0, 100.0, 1e3, 1e4, 1e5, 1e6, 1e9)
_TEMPERATURES = (
    ("°C to °F", 1.8, 32.0),
    ("°F to °C", 1 / 1.8, -32.0 / 1.8),
    ("°C to K", 1.0, 273.15),
    ("K to °C", 1.0, -273.15),
)
_OTHERS = (60.0, 3600.0, 3.6)
_PAIRS = (
    ("miles", "kilometres", 1 / 1.60934),
    ("pounds", "kilograms", 2.20462),
    ("inches", "centimetres", 1 / 2.54),
    ("feet", "metres", 3.28084),
    ("km/h", "m/s", 3.6),
    ("gallons", "litres", 1 / 3.78541),
    ("calories", "joules", 1 / 4.184),
    ("mmHg", "kPa", 7.50062),
    ("ounces", "grams", 1 / 28.3495),
    ("minutes", "hours", 60.0),
    ("seconds", "hours", 3600.0),
)
_NAMED = (
    *((f"{one} for {other}", factor) for one, other, factor in _PAIRS),
    *((f"{other} for {one}", 1 / factor) for one, other, factor in _PAIRS),
    *((f"a factor of {factor:g}", factor) for factor in _DECADES),
    *((f"one in {factor:g}", 1 / factor) for factor in _DECADES),
)
_CLOSE = 0.05
"""Of a factor's logarithm: what a hundred rows tell of it."""
_LOOSE = 0.15
"""The same for a level of fifty rows."""


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


def change_in_words(level: float, low: float, high: float) -> str | None:
    """What `named_change` found, with how far the level has gone by measure: a factor that only fits is said to.

    >>> change_in_words(60.0, 0.05, 0.07)
    'its level is 1,000 times the usual, which fits a change of unit: times 1000'
    >>> change_in_words(5.3, 1.5, 2.6)
    'its level is 2.59 times the usual, too far for chance'
    >>> change_in_words(12.0, -1.0, 1.0)
    'its level went from 0 to 12, too far for chance'
    """
    middle = (low + high) / 2
    name = named_change(level, low, high, middle)
    if name is None or name in {temperature for temperature, _, _ in _TEMPERATURES}:
        return (
            name and f"its level went from {_rounded(middle)} to {_rounded(level)}, which fits a change of unit: {name}"
        )
    if low <= 0 <= high:
        return f"its level went from {_rounded(middle)} to {_rounded(level)}, too far for chance"
    factor = level / middle
    named = {text: times for text, times, _ in (*_ratios(_DECADES), *_ratios(_OTHERS))}[name]
    fits = factor > 0 and abs(_log(factor / named)) <= _LOOSE
    end = f"which fits a change of unit: {name}" if fits else "too far for chance"
    return f"its level is {_rounded(factor)} times the usual, {end}"


def _ratios(factors: tuple[float, ...]) -> tuple[tuple[str, float, float], ...]:
    times = tuple((f"times {factor:g}", factor, 0.0) for factor in factors)
    return times + tuple((f"divided by {factor:g}", 1 / factor, 0.0) for factor in factors)


def measured(factor: float) -> str:
    """What a field was multiplied by, as words; a known unit is named as a fit, not as the cause.

    >>> measured(2.19)
    '2.19 times what they were (fits pounds for kilograms: 2.2046?)'
    >>> measured(0.7)
    '0.7 times what they were'
    """
    near = min(_NAMED, key=lambda known: abs(_log(factor / known[1])))
    fits = f" (fits {near[0]}: {near[1]:.5g}?)" if abs(_log(factor / near[1])) <= _CLOSE else ""
    return f"{_rounded(factor)} times what they were{fits}"


def _rounded(value: float) -> str:
    """A number to three digits, without an exponent where it is of usual size."""
    return f"{float(f'{value:.3g}'):,.10g}"
