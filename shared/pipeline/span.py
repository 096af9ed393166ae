"""Stretches of a stream, as people write them: ``500 rows``, ``30m``, ``2d``."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from pydantic_core import core_schema

_UNITS = {"s": 1.0, "m": 60.0, "h": 3600.0, "d": 86400.0, "w": 604800.0}
_DURATION = re.compile(r"^(\d+(?:\.\d+)?)\s*(ms|s|m|h|d|w)$")
_ROWS = re.compile(r"^(\d+)\s*rows?$")


def duration_of(text: str) -> timedelta:
    """The duration that `text` says, or ValueError.

    >>> duration_of("1.5h")
    datetime.timedelta(seconds=5400)
    """
    match = _DURATION.match(text.strip())
    if match is None:
        raise ValueError(f"{text!r} is not a duration: write a number and one of ms, s, m, h, d, w, as in 30m")
    number, unit = float(match.group(1)), match.group(2)
    return timedelta(seconds=number / 1000 if unit == "ms" else number * _UNITS[unit])


def duration_text(duration: timedelta) -> str:
    """The duration in seconds, as `duration_of` reads it.

    >>> duration_text(timedelta(days=365)), duration_text(timedelta(milliseconds=1500))
    ('31536000s', '1.5s')
    """
    return f"{duration.total_seconds():.6f}".rstrip("0").rstrip(".") + "s"


@dataclass(frozen=True, slots=True)
class Span:
    """A length in rows or in time: exactly one of the two is set.

    >>> Span.of("500 rows")
    Span(rows=500, time=None)
    """

    rows: int | None = None
    time: timedelta | None = None

    @classmethod
    def of(cls, text: str) -> Span:
        match = _ROWS.match(text.strip())
        if match is not None:
            return cls(rows=int(match.group(1)))
        try:
            return cls(time=duration_of(text))
        except ValueError:
            raise ValueError(f"{text!r} is neither a number of rows (500 rows) nor a duration (30m)") from None

    def __str__(self) -> str:
        if self.rows is not None:
            return f"{self.rows} rows"
        return duration_text(self.time or timedelta(0))

    @classmethod
    def __get_pydantic_core_schema__(cls, source: Any, handler: Any) -> core_schema.CoreSchema:
        pattern = r"^\d+\s*rows?$|^\d+(\.\d+)?\s*(ms|s|m|h|d|w)$"
        from_text = core_schema.no_info_after_validator_function(cls.of, core_schema.str_schema(pattern=pattern))
        return core_schema.json_or_python_schema(
            json_schema=from_text,
            python_schema=core_schema.union_schema([core_schema.is_instance_schema(cls), from_text]),
            serialization=core_schema.plain_serializer_function_ser_schema(str, return_schema=core_schema.str_schema()),
        )
