"""Tensors of the Open Inference Protocol v2: JSON and binary data to flat lists of values and back."""

from __future__ import annotations

import math
import struct
from collections.abc import Sequence
from itertools import chain
from typing import Any, Final

import msgspec
import numpy as np

from shared.errors import Poison
from shared.messages import Value

NUMPY: Final = {
    "BOOL": np.dtype("?"),
    "UINT8": np.dtype("u1"),
    "UINT16": np.dtype("<u2"),
    "UINT32": np.dtype("<u4"),
    "UINT64": np.dtype("<u8"),
    "INT8": np.dtype("i1"),
    "INT16": np.dtype("<i2"),
    "INT32": np.dtype("<i4"),
    "INT64": np.dtype("<i8"),
    "FP16": np.dtype("<f2"),
    "FP32": np.dtype("<f4"),
    "FP64": np.dtype("<f8"),
}
"""Numeric datatypes as they travel in the binary extension: little endian, row-major."""

DATATYPES: Final = frozenset({*NUMPY, "BYTES"})


class Tensor(msgspec.Struct, omit_defaults=True):
    """One tensor as it stands in the JSON part. `data` is None where it travels as binary."""

    name: str
    shape: list[int]
    datatype: str
    parameters: dict[str, Any] = {}
    data: Any = None


def elements(shape: Sequence[int]) -> int:
    """How many values a shape holds.

    >>> elements([2, 3]), elements([])
    (6, 1)
    """
    return math.prod(shape)


def json_values(tensor: Tensor) -> list[Value]:
    """The values of a tensor given in JSON, flat or nested, in row-major order; null is missing.

    `Poison` names the tensor whose values are not of its datatype, or not as many as its shape says.
    """
    check(tensor)
    flat = tensor.data
    if not isinstance(flat, list):
        raise _bad(tensor, "`data` is not a list")
    depth = 1
    while flat and all(isinstance(item, list) for item in flat) and depth < max(len(tensor.shape), 1):
        flat = list(chain.from_iterable(flat))
        depth += 1
    if len(flat) != elements(tensor.shape):
        raise _bad(tensor, f"shape {tensor.shape} holds {elements(tensor.shape)} values, `data` has {len(flat)}")
    wrong = next((value for value in flat if not _fits(value, tensor.datatype)), None)
    if wrong is not None:
        raise _bad(tensor, f"{str(wrong)[:40]!r} is not {tensor.datatype}")
    return flat


def binary_values(tensor: Tensor, data: bytes) -> list[Value]:
    """The values of a tensor given in the binary extension; NaN is missing. `Poison` as `json_values`."""
    check(tensor)
    if tensor.datatype == "BYTES":
        values: list[Value] = list(_texts(tensor, data))
        if len(values) != elements(tensor.shape):
            raise _bad(tensor, f"shape {tensor.shape} does not hold {len(values)} texts")
        return values
    kind = NUMPY[tensor.datatype]
    if len(data) != elements(tensor.shape) * kind.itemsize:
        raise _bad(tensor, f"shape {tensor.shape} of {tensor.datatype} does not take {len(data)} bytes")
    numbers: list[Value] = np.frombuffer(data, kind).tolist()
    if kind.kind != "f":
        return numbers
    if any(isinstance(number, float) and math.isinf(number) for number in numbers):
        raise _bad(tensor, "a value is infinite")
    return [None if number != number else number for number in numbers]  # noqa: PLR0124 - NaN alone differs from itself


def binary_data(datatype: str, values: Sequence[Value]) -> bytes:
    """Values as the binary extension carries them, row-major."""
    if datatype == "BYTES":
        encoded = [str(value).encode() for value in values]
        return b"".join(struct.pack("<I", len(text)) + text for text in encoded)
    return np.array(values, dtype=NUMPY[datatype]).tobytes()


def check(tensor: Tensor) -> None:
    """Returns when the datatype is known and the shape can be one."""
    if tensor.datatype not in DATATYPES:
        raise _bad(tensor, f"datatype {tensor.datatype[:20]!r} is none of {', '.join(sorted(DATATYPES))}")
    if any(size < 0 for size in tensor.shape):
        raise _bad(tensor, f"shape {tensor.shape} has a negative size")


def _fits(value: object, datatype: str) -> bool:
    if value is None:
        return True
    if datatype == "BYTES":
        return isinstance(value, str)
    if datatype == "BOOL":
        return isinstance(value, bool)
    if isinstance(value, bool):
        return False
    if datatype.startswith("FP"):
        return isinstance(value, int | float)
    return isinstance(value, int) and (value >= 0 or datatype.startswith("INT"))


def _texts(tensor: Tensor, data: bytes) -> list[str]:
    texts, at = [], 0
    while at < len(data):
        end = at + 4 + int.from_bytes(data[at : at + 4], "little")
        if at + 4 > len(data) or end > len(data):
            raise _bad(tensor, f"the text at byte {at} is cut off")
        try:
            texts.append(data[at + 4 : end].decode())
        except UnicodeDecodeError as error:
            raise _bad(tensor, f"the text at byte {at} is not UTF-8") from error
        at = end
    return texts


def _bad(tensor: Tensor, why: str) -> Poison:
    return Poison(f"input {tensor.name[:80]!r}: {why}", reason="tensor", field=tensor.name)
