"""The codec of the Open Inference Protocol: what goes in comes out, and nothing else gets in."""

from __future__ import annotations

from typing import Any

import msgspec
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.predictor.core.answer import Answer
from services.predictor.core.oip.request import infer_of, rows_of
from services.predictor.core.oip.response import output_tensors, response_of
from services.predictor.core.oip.tensors import NUMPY, Tensor, binary_data, binary_values
from shared.errors import Poison
from shared.messages import Value
from shared.models.metadata import Input, ModelMetadata

METADATA = ModelMetadata(
    kind="binary", inputs=(Input("load"), Input("region", categories=("nsw", "vic"))), classes=("DOWN", "UP")
)
NUMBERS = ModelMetadata(kind="regression", inputs=(Input("a"), Input("b"), Input("c")))
FINITE = st.none() | st.floats(allow_nan=False, allow_infinity=False) | st.integers(-(2**60), 2**60)
TEXTS = st.text("aé€\x00", max_size=5)
ROWS = st.lists(st.fixed_dictionaries({"load": FINITE, "region": st.none() | TEXTS}), max_size=8)


def tensor(name: str, datatype: str, data: Any, shape: list[int] | None = None) -> dict[str, Any]:
    return {"name": name, "datatype": datatype, "shape": shape or [len(data)], "data": data}


def asked(*inputs: dict[str, Any], **more: Any) -> bytes:
    return msgspec.json.encode({"inputs": inputs, **more})


def refusal_of(body: bytes, metadata: ModelMetadata = METADATA, header_length: int | None = None) -> str:
    with pytest.raises(Poison) as refusal:
        rows_of(infer_of(body, header_length), metadata)
    return refusal.value.detail


@given(ROWS)
def test_one_tensor_per_feature_gives_the_rows_back(rows: list[dict[str, Value]]) -> None:
    body = asked(
        tensor("region", "BYTES", [row["region"] for row in rows]),
        tensor("load", "FP64", [[row["load"]] for row in rows], [len(rows), 1]),
    )

    assert rows_of(infer_of(body, None), METADATA) == rows


@given(st.lists(st.tuples(FINITE, FINITE, FINITE), min_size=1, max_size=8), st.booleans())
def test_a_matrix_gives_the_rows_back_flat_or_nested(cells: list[tuple[Value, ...]], nested: bool) -> None:
    data = [list(row) for row in cells] if nested else [value for row in cells for value in row]

    rows = rows_of(infer_of(asked(tensor("x", "FP64", data, [len(cells), 3])), None), NUMBERS)

    assert [tuple(row.values()) for row in rows] == cells
    assert all(tuple(row) == ("a", "b", "c") for row in rows)


@given(st.data(), st.sampled_from([*NUMPY, "BYTES"]))
def test_binary_values_survive_the_way_there_and_back(data: st.DataObject, datatype: str) -> None:
    values = data.draw(st.lists(_values_of(datatype), max_size=20))

    travelled = binary_values(Tensor("x", [len(values)], datatype), binary_data(datatype, values))

    assert travelled == values
    assert all(type(ours) is type(theirs) for ours, theirs in zip(travelled, values, strict=True))


def _values_of(datatype: str) -> st.SearchStrategy[Any]:
    if datatype == "BYTES":
        return TEXTS
    if datatype == "BOOL":
        return st.booleans()
    kind = NUMPY[datatype]
    if kind.kind == "f":
        return st.floats(width=kind.itemsize * 8, allow_nan=False, allow_infinity=False)  # type: ignore[arg-type]
    limits = np.iinfo(kind)
    return st.integers(int(limits.min), int(limits.max))


def test_binary_tensors_follow_the_json_part_in_their_order() -> None:
    load, region = binary_data("FP32", [1.5, float("nan")]), binary_data("BYTES", ["nsw", "é"])
    head = asked(
        {"name": "load", "datatype": "FP32", "shape": [2], "parameters": {"binary_data_size": len(load)}},
        {"name": "region", "datatype": "BYTES", "shape": [2], "parameters": {"binary_data_size": len(region)}},
    )

    rows = rows_of(infer_of(head + load + region, len(head)), METADATA)

    assert rows == [{"load": 1.5, "region": "nsw"}, {"load": None, "region": "é"}]


LOAD, REGION = tensor("load", "FP64", [1.0]), tensor("region", "BYTES", ["nsw"])


@pytest.mark.parametrize(
    ("body", "words"),
    [
        (b"", "not JSON"),
        (b"\xff", "not JSON"),
        (b"[" * 100_000, "not"),
        (b"{}", "missing required field `inputs`"),
        (b'{"inputs": 3}', "not an inference request"),
        (asked(), "`inputs` is empty"),
        (asked(LOAD), "'region' is missing"),
        (asked(LOAD, LOAD, REGION), "given twice"),
        (asked(LOAD, REGION, tensor("wind", "FP64", [1.0])), "'wind' is no feature"),
        (asked(LOAD, tensor("region", "BYTES", ["nsw", "vic"])), "different numbers of rows"),
        (asked(tensor("load", "FP64", ["1"]), REGION), "'1' is not FP64"),
        (asked(tensor("load", "FP64", [True]), REGION), "'True' is not FP64"),
        (asked(tensor("load", "INT64", [1.5]), REGION), "'1.5' is not INT64"),
        (asked(tensor("load", "UINT8", [-1]), REGION), "'-1' is not UINT8"),
        (asked(tensor("load", "BOOL", [1]), REGION), "'1' is not BOOL"),
        (asked(tensor("load", "FP64", [{}]), REGION), "'{}' is not FP64"),
        (asked(tensor("load", "BYTES", ["x"]), REGION), "'load' takes numbers"),
        (asked(tensor("load", "FLOAT", [1.0]), REGION), "datatype 'FLOAT' is none of"),
        (asked(tensor("load", "FP64", [1.0], [2]), REGION), "holds 2 values, `data` has 1"),
        (asked(tensor("load", "FP64", [1.0], [-1]), REGION), "negative size"),
        (asked(tensor("load", "FP64", [1.0, 2.0], [1, 2]), REGION), "neither [n] nor [n, 1]"),
        (asked(tensor("x", "FP64", [1.0, 2.0, 3.0], [1, 3])), "has 3 columns, the model takes 2"),
        (asked({**LOAD, "data": None}, REGION), "`data` is not a list"),
        (asked({**LOAD, "parameters": {"binary_data_size": 8}}, REGION), "binary_data_size 8 is not within"),
        (asked({**LOAD, "parameters": {"binary_data_size": "8"}}, REGION), "binary_data_size '8' is not within"),
    ],
)
def test_what_does_not_fit_is_refused_with_its_place(body: bytes, words: str) -> None:
    assert words in refusal_of(body)


def test_text_in_a_matrix_is_refused_by_the_feature_it_stands_for() -> None:
    body = asked(tensor("x", "BYTES", [None, None, "windy"], [1, 3]))

    assert "'c' takes numbers, not 'windy'" in refusal_of(body, NUMBERS)


@pytest.mark.parametrize(
    ("datatype", "shape", "data", "words"),
    [
        ("FP64", [2], b"12345678", "does not take 8 bytes"),
        ("FP64", [1], np.array([np.inf]).tobytes(), "infinite"),
        ("BYTES", [1], b"\x05\x00\x00\x00abc", "cut off"),
        ("BYTES", [1], b"\x05\x00", "cut off"),
        ("BYTES", [1], b"\x01\x00\x00\x00\xff", "not UTF-8"),
        ("BYTES", [2], b"\x01\x00\x00\x00a", "does not hold 1 texts"),
    ],
)
def test_bad_binary_data_is_refused_with_its_place(datatype: str, shape: list[int], data: bytes, words: str) -> None:
    head = asked({"name": "load", "datatype": datatype, "shape": shape, "parameters": {"binary_data_size": len(data)}})

    assert words in refusal_of(head + data, header_length=len(head))
    assert "'load'" in refusal_of(head + data, header_length=len(head))


def test_a_header_length_beyond_the_body_and_bytes_left_over_are_refused() -> None:
    assert "is not within the body" in refusal_of(b"{}", header_length=3)
    assert "4 bytes follow the last tensor" in refusal_of(
        asked(LOAD, REGION) + b"more", header_length=len(asked(LOAD, REGION))
    )


ANSWERS = [Answer("UP", 0.9, {"DOWN": 0.1, "UP": 0.9}), Answer("DOWN", 0.25, {"DOWN": 0.75, "UP": 0.25})]


def answered(body: bytes) -> tuple[bytes, int | None]:
    tensors = output_tensors(ANSWERS, METADATA)
    return response_of(infer_of(body, None), tensors, model="m", version="7", request_id="r", role="champion")


def test_an_answer_carries_every_output_the_version_and_the_request_id() -> None:
    body, json_length = answered(asked(LOAD, REGION))

    assert json_length is None
    assert msgspec.json.decode(body) == {
        "model_name": "m",
        "model_version": "7",
        "id": "r",
        "parameters": {"model_version": "7", "request_id": "r", "role": "champion"},
        "outputs": [
            tensor("prediction", "BYTES", ["UP", "DOWN"]),
            tensor("score", "FP64", [0.9, 0.25]),
            {**tensor("probabilities", "FP64", [0.1, 0.9, 0.75, 0.25], [2, 2]), "parameters": {"classes": "DOWN,UP"}},
        ],
    }


def test_outputs_come_as_asked_in_json_or_binary() -> None:
    wanted = [{"name": "score", "parameters": {"binary_data": True}}, {"name": "prediction"}]
    body, json_length = answered(asked(LOAD, REGION, outputs=wanted))

    head = msgspec.json.decode(body[:json_length])
    assert [output["name"] for output in head["outputs"]] == ["score", "prediction"]
    assert head["outputs"][0]["parameters"] == {"binary_data_size": 16}
    assert "data" not in head["outputs"][0]
    assert np.frombuffer(body[json_length:]).tolist() == [0.9, 0.25]


def test_all_outputs_come_binary_where_the_request_says_so() -> None:
    body, json_length = answered(asked(LOAD, REGION, parameters={"binary_data_output": True}))

    outputs = msgspec.json.decode(body[:json_length])["outputs"]
    assert sum(output["parameters"]["binary_data_size"] for output in outputs) == len(body) - (json_length or 0)


def test_an_output_that_does_not_exist_is_refused() -> None:
    with pytest.raises(Poison, match="'margin' is none of prediction, score, probabilities"):
        answered(asked(LOAD, REGION, outputs=[{"name": "margin"}]))


@pytest.mark.parametrize(
    ("kind", "classes", "datatype"),
    [
        ("regression", (), "FP64"),
        ("anomaly", (), "BOOL"),
        ("binary", (False, True), "BOOL"),
        ("binary", (0, 1), "INT64"),
        ("multiclass", ("a", 1), "BYTES"),
    ],
)
def test_predictions_have_the_datatype_of_the_target(kind: Any, classes: tuple[Value, ...], datatype: str) -> None:
    metadata = ModelMetadata(kind=kind, inputs=(), classes=classes)

    assert output_tensors([], metadata)[0].datatype == datatype
