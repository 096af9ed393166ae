"""Durations as people say them."""

from __future__ import annotations

from datetime import timedelta

_UNITS = ((86_400, "day"), (3_600, "h"), (60, "min"), (1, "s"))


def in_words(duration: timedelta) -> str:
    """The two largest units that it has, rounded down; below a second, milliseconds.

    >>> in_words(timedelta(days=30)), in_words(timedelta(hours=26, minutes=5)), in_words(timedelta(seconds=7200))
    ('30 days', '1 day 2 h', '2 h')
    >>> in_words(timedelta(milliseconds=250)), in_words(timedelta(0))
    ('250 ms', '0 s')
    """
    seconds = int(duration.total_seconds())
    if not seconds and duration:
        return f"{duration // timedelta(milliseconds=1)} ms"
    parts = []
    for size, unit in _UNITS:
        count, seconds = divmod(seconds, size)
        parts.append(f"{count} {unit}{'s' if unit == 'day' and count != 1 else ''}" if count else "")
    first = next((place for place, part in enumerate(parts) if part), None)
    return "0 s" if first is None else " ".join(filter(None, parts[first : first + 2]))
