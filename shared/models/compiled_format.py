"""Format ``compiled``: a `Program` in MessagePack. Numbers and an ONNX graph; nothing in it is code."""

from __future__ import annotations

import msgspec

from shared.models.compiled_model import CompiledModel
from shared.models.metadata import ModelMetadata
from shared.models.program import Program

NAME = "compiled"

_decoder = msgspec.msgpack.Decoder(Program)


def dump(program: Program) -> bytes:
    """The program as bytes: the same program, the same bytes."""
    return msgspec.msgpack.encode(program, order="deterministic")


def parse(data: bytes, metadata: ModelMetadata) -> CompiledModel:
    """The model in the bytes; any error names what does not fit."""
    return CompiledModel(_decoder.decode(data), metadata)
