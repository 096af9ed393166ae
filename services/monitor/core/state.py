"""State to bytes and back: msgpack of typed structs, numpy arrays as they lie in memory."""

from __future__ import annotations

from typing import Any, TypeVar

import msgspec
import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
Bools = NDArray[np.bool_]

S = TypeVar("S")
_ARRAY = 1


def pack(state: object) -> bytes:
    """The whole state, bit for bit: `unpack(pack(state), type(state))` equals it, NaN included."""
    return msgspec.msgpack.encode(state, enc_hook=_encode)


def unpack(data: bytes, kind: type[S]) -> S:
    return msgspec.msgpack.decode(data, type=kind, ext_hook=_decode, dec_hook=lambda _, value: value)


def empty() -> Floats:
    """A fresh array of no numbers, as a default of state."""
    return np.empty(0)


def in_order(rows: Ints) -> Ints:
    """`np.unique`: mostly they are distinct and in order already."""
    return rows if (rows[1:] > rows[:-1]).all() else np.unique(rows)


def no_rows() -> Ints:
    """A fresh array of no row numbers, as a default of state."""
    return np.empty(0, np.int64)


def _encode(value: Any) -> msgspec.msgpack.Ext:
    if not isinstance(value, np.ndarray):
        raise NotImplementedError(f"state holds a {type(value).__name__}, which has no encoding")
    head = msgspec.msgpack.encode((value.dtype.str, value.shape))
    return msgspec.msgpack.Ext(_ARRAY, len(head).to_bytes(2, "big") + head + value.tobytes())


def _decode(_: int, data: memoryview) -> NDArray[Any]:
    size = int.from_bytes(data[:2], "big")
    dtype, shape = msgspec.msgpack.decode(data[2 : 2 + size])
    return np.frombuffer(data[2 + size :], dtype=dtype).reshape(shape).copy()
