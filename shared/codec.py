"""Bytes to messages and back, for every topic: JSON by msgspec, checked against the struct's types."""

from __future__ import annotations

from collections.abc import Collection
from functools import cache
from typing import Any, TypeVar

import msgspec

from shared.errors import Poison
from shared.topics import Topic

M = TypeVar("M", bound=msgspec.Struct)

_encoder = msgspec.json.Encoder(decimal_format="number")


@cache
def _decoder(message: type[Any]) -> msgspec.json.Decoder[Any]:
    return msgspec.json.Decoder(message, strict=True)


def encode(message: msgspec.Struct) -> bytes:
    """The message as it travels: one line of JSON, UTF-8."""
    return _encoder.encode(message)


def decode(topic: Topic[M], value: bytes) -> M:
    """The message in `value`, or `Poison` that says what is wrong and where.

    >>> from shared.topics import LABELS
    >>> decode(LABELS, b'{"pipeline": "p", "id": "1", "label": true}').label
    True
    >>> decode(LABELS, b'{"pipeline": "p", "label": true}')
    Traceback (most recent call last):
        ...
    shared.errors.Poison: not a Label: Object missing required field `id`
    """
    return decode_as(topic.message, value)


def decode_as(message: type[M], value: bytes) -> M:
    """As `decode`, for a message by its type."""
    try:
        return _decoder(message).decode(value)  # type: ignore[no-any-return]
    except msgspec.ValidationError as error:
        raise Poison(f"not a {message.__name__}: {error}", reason="malformed") from error
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise Poison(f"not JSON: {error}", reason="not-json") from error
    except RecursionError as error:
        raise Poison("nested too deeply to be read", reason="not-json") from error


def decode_all(message: type[M], values: Collection[bytes]) -> list[M]:
    """Each value as `decode_as` reads it, in order; `Poison` about the first that is no such message."""
    decode = _decoder(message).decode
    try:
        return [decode(value) for value in values]
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return [decode_as(message, value) for value in values]
