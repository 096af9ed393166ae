"""What a service knows after a start from its snapshot, held against what it knew: its objects, not its bytes.

A field that `save` leaves out is in no bytes, and few runs may ever come to ask for it. Here it shows
as soon as it holds anything.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from functools import cache
from typing import Any

import msgspec
import numpy as np
from pydantic import BaseModel

BESIDE = ("_board", "_specifications")
"""Attributes that are made anew from the rest when they are asked for, or handed to the service."""
UNORDERED = ("metrics",)
"""Mappings whose order means nothing."""
_PLAIN = frozenset({str, bytes, int, float, bool, type(None)})
_CODE = ("function", "builtin_function_or_method", "method", "PyThen")
"""What was compiled from a specification."""


def forgotten(before: object, after: object, at: str = "") -> Iterator[str]:
    """Where `after` is not what `before` was; lists and tuples are the same, and so are numbers of any width."""
    if before is after or (type(before) in _PLAIN and before == after):
        return
    if isinstance(before, np.ndarray):
        if not _same_array(before, after):
            yield _told(at, before, after)
    elif isinstance(before, float | np.number):
        if not isinstance(after, float | int | np.number) or not np.array_equal(before, after, equal_nan=True):
            yield _told(at, before, after)
    elif isinstance(before, Mapping):
        yield from _of_mappings(before, after, at)
    elif isinstance(before, list | tuple):
        yield from _of_sequences(before, after, at)
    elif type(before).__name__ in _CODE and type(before) is type(after):
        return
    else:
        yield from _of_objects(before, after, at)


def _same_array(before: Any, after: object) -> bool:
    return (
        isinstance(after, np.ndarray)
        and before.dtype == after.dtype
        and before.shape == after.shape
        and before.tobytes() == after.tobytes()
    )


def _of_mappings(before: Mapping[Any, Any], after: object, at: str) -> Iterator[str]:
    order = sorted if at.endswith(UNORDERED) else list
    if not isinstance(after, Mapping) or order(before) != order(after):
        yield _told(at, before, after)
        return
    for key, value in before.items():
        yield from forgotten(value, after[key], f"{at}[{key}]")


def _of_sequences(before: list[Any] | tuple[Any, ...], after: object, at: str) -> Iterator[str]:
    if not isinstance(after, list | tuple) or len(before) != len(after):
        yield _told(at, before, after)
        return
    for index, (one, other) in enumerate(zip(before, after, strict=True)):
        yield from forgotten(one, other, f"{at}[{index}]")


def _of_objects(before: object, after: object, at: str) -> Iterator[str]:
    kind: Any = type(before)
    names = _names(kind) + tuple(getattr(before, "__dict__", ()))
    if kind is not type(after) or not names or isinstance(before, BaseModel):
        if before != after:
            yield _told(at, before, after)
        return
    for name in names:
        if name not in BESIDE:
            yield from forgotten(getattr(before, name, None), getattr(after, name, None), f"{at}.{name}")


@cache
def _names(kind: type[Any]) -> tuple[str, ...]:
    """The fields of instances that lie in no dictionary."""
    if issubclass(kind, msgspec.Struct):
        return tuple(kind.__struct_fields__)
    slots = [one.__dict__.get("__slots__", ()) for one in kind.__mro__]
    names = [name for each in slots for name in ((each,) if isinstance(each, str) else each)]
    return tuple(name for name in names if not name.startswith("__"))


def _told(at: str, before: object, after: object) -> str:
    return f"{at} was {str(before)[:100]}, is {str(after)[:100]}"
