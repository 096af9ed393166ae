"""Answers of the Open Inference Protocol v2, as bytes.

An answer has `prediction` [n], `score` [n] where the model has one, and `probabilities` [n, classes].
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

import msgspec

from services.predictor.core.answer import Answer
from services.predictor.core.oip.request import Infer, Wanted
from services.predictor.core.oip.tensors import Tensor, binary_data
from shared.errors import Poison
from shared.models.metadata import ModelMetadata, class_text

_NUMBER_TYPES: Final = {bool: "BOOL", int: "INT64", float: "FP64"}


def output_tensors(answers: Sequence[Answer], metadata: ModelMetadata) -> list[Tensor]:
    """All outputs of a model, with their data flat."""
    rows = len(answers)
    found = [
        Tensor("prediction", [rows], _prediction_type(metadata), data=[answer.prediction for answer in answers]),
    ]
    if metadata.kind != "regression":
        found.append(Tensor("score", [rows], "FP64", data=[answer.score for answer in answers]))
    if metadata.classes:
        names = [class_text(value) for value in metadata.classes]
        flat = [(answer.probabilities or {}).get(name) for answer in answers for name in names]
        found.append(Tensor("probabilities", [rows, len(names)], "FP64", {"classes": ",".join(names)}, flat))
    return found


def _prediction_type(metadata: ModelMetadata) -> str:
    if metadata.kind == "regression":
        return "FP64"
    if metadata.kind == "anomaly":
        return "BOOL"
    kinds = {type(value) for value in metadata.classes}
    return _NUMBER_TYPES.get(kinds.pop(), "BYTES") if len(kinds) == 1 else "BYTES"


def response_of(
    request: Infer, tensors: Sequence[Tensor], *, model: str, version: str, request_id: str, role: str
) -> tuple[bytes, int | None]:
    """The answer's body, and the length of its JSON part where tensors follow it as bytes."""
    chosen = _chosen(request.body.outputs, tensors)
    all_binary = bool(request.body.parameters.get("binary_data_output", False))
    outputs, blobs = [], []
    for tensor, parameters in chosen:
        if parameters.get("binary_data", all_binary):
            blobs.append(binary_data(tensor.datatype, tensor.data))
            described = {**tensor.parameters, "binary_data_size": len(blobs[-1])}
            outputs.append(Tensor(tensor.name, tensor.shape, tensor.datatype, described))
        else:
            outputs.append(tensor)
    head = msgspec.json.encode(
        {
            "model_name": model,
            "model_version": version,
            "id": request_id,
            "parameters": {"model_version": version, "request_id": request_id, "role": role},
            "outputs": outputs,
        }
    )
    return b"".join([head, *blobs]), len(head) if blobs else None


def _chosen(wanted: Sequence[Wanted], tensors: Sequence[Tensor]) -> list[tuple[Tensor, dict[str, Any]]]:
    if not wanted:
        return [(tensor, {}) for tensor in tensors]
    by_name = {tensor.name: tensor for tensor in tensors}
    for output in wanted:
        if output.name not in by_name:
            raise Poison(
                f"output {output.name[:80]!r} is none of {', '.join(by_name)}", reason="output", field=output.name
            )
    return [(by_name[output.name], output.parameters) for output in wanted]


def model_metadata(name: str, version: str, versions: Sequence[str], metadata: ModelMetadata) -> dict[str, object]:
    """What `GET /v2/models/{name}` tells: -1 is any number of rows."""
    inputs = [
        {"name": item.name, "datatype": "FP64" if item.categories is None else "BYTES", "shape": [-1]}
        for item in metadata.inputs
    ]
    outputs = [
        {"name": tensor.name, "datatype": tensor.datatype, "shape": [-1, *tensor.shape[1:]]}
        for tensor in output_tensors([], metadata)
    ]
    return {
        "name": name,
        "versions": list(versions),
        "platform": "homeostat",
        "inputs": inputs,
        "outputs": outputs,
        "parameters": {"model_version": version, "kind": metadata.kind},
    }
