"""W3C trace context: every record carries a `traceparent`, continued from the record that caused it.

Ids are made from the step that writes the record, so that a repeated step writes the same bytes.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterator, Sequence
from functools import cached_property
from typing import overload

HEADER = "traceparent"
Headers = tuple[tuple[str, bytes], ...]
_ROOM = 24
"""Bits of an id that count a step's records."""

_DIGITS = tuple(f"{number:03x}" for number in range(1 << _ROOM // 2))
"""Half a count in hexadecimal: looking it up takes half the time of writing it."""

_FORM = re.compile(r"^00-(?!0{32})[0-9a-f]{32}-(?!0{16})[0-9a-f]{16}-[0-9a-f]{2}$")


class Traces:
    """The trace contexts of the records that one step writes, in order.

    >>> traces = Traces("ingest/0/7")
    >>> parent = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"
    >>> traces.next(parent).decode()[:36] == parent[:36], traces.next(parent) == traces.next(parent)
    (True, False)
    """

    __slots__ = ("_count", "_low", "_span", "_trace")

    def __init__(self, label: str) -> None:
        seed = hashlib.blake2b(label.encode(), digest_size=24).digest()
        # The top bit keeps an id from ever being zero; the low bits leave room for a step's records.
        span = (int.from_bytes(seed[16:], "big") | 1 << 63) >> _ROOM
        trace = int.from_bytes(seed[:16], "big") | 1 << 127
        self._span = f"{span:010x}"
        self._trace = f"00-{(trace >> _ROOM) ^ span:026x}"
        self._low = trace & ((1 << _ROOM) - 1)
        self._count = 0

    def next(self, parent: str | None) -> bytes:
        """The header of a new span in the trace of `parent`, or in a new trace where there is none that is valid."""
        self._count = count = self._count + 1
        span = f"{self._span}{_DIGITS[count >> 12]}{_DIGITS[count & 0xFFF]}"
        if parent is not None and len(parent) == 55:
            return f"{parent[:36]}{span}{parent[52:]}".encode()
        low = self._low ^ count
        return f"{self._trace}{_DIGITS[low >> 12]}{_DIGITS[low & 0xFFF]}-{span}-01".encode()


class Parents(Sequence[str | None]):
    """By record, the `parent_in` its headers: looked for when it is first asked for, which few services do."""

    def __init__(self, headers: Sequence[Headers]) -> None:
        self._headers = headers

    @cached_property
    def _found(self) -> list[str | None]:
        return [parent_in(each) for each in self._headers]

    def __len__(self) -> int:
        return len(self._headers)

    def __iter__(self) -> Iterator[str | None]:
        return iter(self._found)

    @overload
    def __getitem__(self, at: int) -> str | None: ...

    @overload
    def __getitem__(self, at: slice) -> list[str | None]: ...

    def __getitem__(self, at: int | slice) -> str | list[str | None] | None:
        return self._found[at]


def parent_in(headers: Headers) -> str | None:
    """The valid traceparent among a record's headers, or None."""
    for name, value in headers:
        if name == HEADER:
            text = value.decode("ascii", "replace")
            return text if _FORM.match(text) else None
    return None
