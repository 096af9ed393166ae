"""Requests of the Open Inference Protocol v2, from bytes to feature rows.

A request has one tensor per feature (shape [n] or [n, 1]) or one matrix (shape [n, features], the
features in the model's order). With the binary extension a body is its JSON part, as long as the
header ``Inference-Header-Content-Length`` says, and then the tensors' bytes in their order.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

import msgspec

from services.predictor.core.oip.tensors import Tensor, binary_values, elements, json_values
from shared.errors import Poison
from shared.messages import Value
from shared.models.metadata import ModelMetadata

BINARY_HEADER: Final = "inference-header-content-length"


class Wanted(msgspec.Struct):
    """One output that a request asks for."""

    name: str
    parameters: dict[str, Any] = {}


class Body(msgspec.Struct):
    """The JSON part of a request."""

    inputs: list[Tensor]
    id: str = ""
    parameters: dict[str, Any] = {}
    outputs: list[Wanted] = []


@dataclass(frozen=True, slots=True)
class Infer:
    """A request, understood: its tensors' values are flat, row-major lists."""

    body: Body
    values: list[list[Value]]

    @property
    def entity(self) -> str | None:
        """Who asks, where the request says (`parameters.entity`): decides between champion and canary."""
        entity = self.body.parameters.get("entity")
        return None if entity is None else str(entity)


def infer_of(body: bytes, header_length: int | None) -> Infer:
    """The request in a body; `header_length` is the JSON part's, None where all of it is JSON."""
    if header_length is not None and not 0 <= header_length <= len(body):
        raise Poison(f"{BINARY_HEADER} {header_length} is not within the body's {len(body)} bytes", reason="header")
    end = len(body) if header_length is None else header_length
    try:
        request = msgspec.json.decode(body[:end], type=Body)
    except (msgspec.ValidationError, RecursionError) as error:
        raise Poison(f"not an inference request: {error}", reason="malformed") from error
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise Poison(f"not JSON: {error}", reason="not-json") from error
    if not request.inputs:
        raise Poison(
            "`inputs` is empty: send one tensor per feature, or one matrix", reason="malformed", field="inputs"
        )
    return Infer(request, _values(request.inputs, memoryview(body)[end:]))


def _values(tensors: Sequence[Tensor], rest: memoryview) -> list[list[Value]]:
    found, at = [], 0
    for tensor in tensors:
        if "binary_data_size" not in tensor.parameters:
            found.append(json_values(tensor))
            continue
        size = tensor.parameters["binary_data_size"]
        if not isinstance(size, int) or isinstance(size, bool) or not 0 <= size <= len(rest) - at:
            raise Poison(
                f"input {tensor.name[:80]!r}: binary_data_size {size!r} is not within the {len(rest) - at} bytes "
                f"that follow the JSON part ({BINARY_HEADER} says how long that is)",
                reason="tensor",
                field=tensor.name,
            )
        found.append(binary_values(tensor, bytes(rest[at : at + size])))
        at += size
    if at != len(rest):
        raise Poison(f"{len(rest) - at} bytes follow the last tensor", reason="malformed")
    return found


def rows_of(request: Infer, metadata: ModelMetadata) -> list[dict[str, Value]]:
    """The feature rows that a request asks about; `Poison` names what does not fit the model."""
    features, tensors = metadata.features, request.body.inputs
    names = [tensor.name for tensor in tensors]
    shape = tensors[0].shape
    if len(tensors) == 1 and len(shape) == 2 and (shape[1] != 1 or names[0] not in features):
        return _matrix_rows(request, metadata)
    unknown = [name for name in names if name not in features]
    if unknown:
        raise Poison(
            f"input {unknown[0][:80]!r} is no feature of this model: it takes {', '.join(features)}",
            reason="tensor",
            field=unknown[0],
        )
    missing = [name for name in features if name not in names]
    if missing or len(set(names)) != len(names):
        what = f"input {missing[0]!r} is missing" if missing else "an input is given twice"
        raise Poison(f"{what}: send each of {', '.join(features)} once (null where unknown)", reason="tensor")
    columns = dict(zip(names, request.values, strict=True))
    for tensor in tensors:
        if len(tensor.shape) not in (1, 2) or elements(tensor.shape) != tensor.shape[0]:
            raise Poison(
                f"input {tensor.name!r}: shape {tensor.shape} is neither [n] nor [n, 1]",
                reason="tensor",
                field=tensor.name,
            )
    lengths = {len(column) for column in columns.values()}
    if len(lengths) != 1:
        raise Poison(f"the inputs have different numbers of rows: {sorted(lengths)}", reason="tensor")
    _check_types(columns, metadata)
    return [dict(zip(features, row, strict=True)) for row in zip(*(columns[name] for name in features), strict=True)]


def _matrix_rows(request: Infer, metadata: ModelMetadata) -> list[dict[str, Value]]:
    (tensor,), (values,) = request.body.inputs, request.values
    width = len(metadata.features)
    if tensor.shape[1] != width:
        raise Poison(
            f"input {tensor.name[:80]!r} has {tensor.shape[1]} columns, the model takes {width}: "
            f"{', '.join(metadata.features)}",
            reason="tensor",
            field=tensor.name,
        )
    columns = {name: values[index::width] for index, name in enumerate(metadata.features)}
    _check_types(columns, metadata)
    return [
        dict(zip(metadata.features, values[start : start + width], strict=True))
        for start in range(0, len(values), width)
    ]


def _check_types(columns: dict[str, list[Value]], metadata: ModelMetadata) -> None:
    for item in metadata.inputs:
        text = next((value for value in columns[item.name] if isinstance(value, str)), None)
        if item.categories is None and text is not None:
            raise Poison(f"input {item.name!r} takes numbers, not {text[:40]!r}", reason="tensor", field=item.name)
