"""Numbers as people read them: few digits, but two that differ never look alike side by side."""

from __future__ import annotations

MOST_DIGITS = 17
"""What it takes to tell any two floats apart."""


def figure(value: float, beside: float | None = None, digits: int = 4) -> str:
    """`value` to so many digits, without an exponent where it is of usual size.

    `beside` is what it is told together with: where the two differ and would read the same, both get more digits.

    >>> figure(0.79376), figure(48210.4), figure(1.0)
    ('0.7938', '48,210', '1')
    >>> figure(0.2031, 0.2, digits=2), figure(0.2, 0.2031, digits=2), figure(0.2, 0.2, digits=2)
    ('0.203', '0.2', '0.2')
    """
    text = _rounded(value, digits)
    while beside is not None and value != beside and digits < MOST_DIGITS and text == _rounded(beside, digits):
        digits += 1
        text = _rounded(value, digits)
    return text


def _rounded(value: float, digits: int) -> str:
    return f"{float(f'{value:.{digits}g}'):,.{max(digits, 10)}g}"
