"""Compiled artefacts: what is in them, and bytes that are none."""

from __future__ import annotations

import io
import zipfile
from collections.abc import Callable
from typing import Any

import msgspec
import numpy as np
import pytest

from services.trainer.packing import kept
from shared.errors import Poison
from shared.messages import Artifact
from shared.models.artifact import keep, load, load_estimator
from shared.models.compiled_model import CompiledModel
from shared.models.metadata import Input, ModelMetadata
from shared.models.program import Expansion, Linear, Lookup, Mixture, Program, Tensor, Trees
from shared.models.sklearn_model import SklearnModel
from shared.models.store import MemoryStore
from tests.support.models import KEY, linear_model, rows

NUMBERS = ModelMetadata(kind="regression", inputs=(Input("a"), Input("b", categories=("x", "y"))))


def sums(expansion: Expansion, columns: int) -> CompiledModel:
    """A model that answers the sum of its columns, each ten times the one before."""
    weights = 10.0 ** np.arange(columns)[:, np.newaxis]
    return CompiledModel(
        Program(expansion=expansion, learner=Linear(Tensor.of(weights), Tensor.of(np.zeros(1)))), NUMBERS
    )


def test_columns_are_values_then_gaps_then_equals_then_lookups() -> None:
    table = Tensor.of(np.array([[5.0], [6.0], [7.0]]))
    model = sums(Expansion(values=(0,), fills=(4.0,), missing=(0,), equals=((1, 1.0),), lookups=(Lookup(1, table),)), 4)

    answers = model.answer([{"a": 2.0, "b": "x"}, {"a": None, "b": "y"}, {"a": 2.0, "b": "never seen"}])

    assert answers.predictions == [2 + 5000, 4 + 10 + 100 + 6000, 2 + 7000]


def test_columns_are_shifted_then_scaled() -> None:
    model = sums(
        Expansion(values=(0,), fills=(np.nan,), shift=Tensor.of(np.array([1.0])), scale=Tensor.of(np.array([4.0]))),
        1,
    )

    assert model.answer([{"a": 3.0}]).predictions == [0.5]


@pytest.mark.parametrize("value", [None, np.inf, -np.inf])
def test_a_row_that_the_learner_cannot_take_is_refused(value: float | None) -> None:
    model = sums(Expansion(values=(0,), fills=(np.nan,)), 1)

    with pytest.raises(ValueError, match="infinite or too large, or missing"):
        model.answer([{"a": value, "b": "x"}])


def test_a_number_too_large_for_single_precision_is_refused_where_the_learner_rounds_to_it() -> None:
    with pytest.raises(ValueError, match="too large"):
        sums(Expansion(values=(0,), fills=(np.nan,), single=True), 1).answer([{"a": 1e39}])


def test_no_rows_get_no_answers() -> None:
    assert not sums(Expansion(values=(0,), fills=(0.0,)), 1).answer([]).predictions


@pytest.fixture(scope="module")
def published() -> tuple[Artifact, MemoryStore]:
    store = MemoryStore()
    return kept(SklearnModel(*linear_model()), rows(200), store, KEY).artifact, store


def test_the_estimator_is_in_the_artefact_beside_its_compiled_form(published: tuple[Artifact, MemoryStore]) -> None:
    artifact, store = published
    estimator, metadata = linear_model()

    original = load_estimator(artifact, store, KEY)

    assert isinstance(load(artifact, store, KEY), CompiledModel)
    assert isinstance(original, SklearnModel)
    assert original.answer(rows(20)) == SklearnModel(estimator, metadata).answer(rows(20))


def test_the_same_model_is_the_same_artefact(published: tuple[Artifact, MemoryStore]) -> None:
    again = kept(SklearnModel(*linear_model()), rows(200), MemoryStore(), KEY).artifact

    assert again == published[0]


def changed(published: tuple[Artifact, MemoryStore], program: Callable[[bytes], bytes | None]) -> Artifact:
    """The artefact with another program in it, signed by someone who holds the key."""
    artifact, store = published
    buffer = io.BytesIO()
    with zipfile.ZipFile(io.BytesIO(store.get(artifact))) as before, zipfile.ZipFile(buffer, "w") as after:
        for name in before.namelist():
            content: bytes | None = before.read(name)
            if name == "program":
                content = program(before.read(name))
            if content is not None:
                after.writestr(name, content)
    return keep(buffer.getvalue(), "compiled", store, KEY)


def program_of(**parts: Any) -> bytes:
    expansion = Expansion(values=(0, 1), fills=(0.0, 0.0))
    learner = Linear(Tensor.of(np.zeros((2, 1))), Tensor.of(np.zeros(1)))
    return msgspec.msgpack.encode(Program(**{"expansion": expansion, "learner": learner, **parts}))


@pytest.mark.parametrize(
    "program",
    [
        None,
        b"",
        b"cos\nsystem\n(S'false'\ntR.",
        program_of(link="eval"),
        program_of(inputs=(Input("another"),)),
        program_of(learner={"type": "python", "code": "1"}),
        program_of(learner=Linear(Tensor((9, 9), b"12345678"), Tensor((1,), b"12345678"))),
        program_of(learner=Trees(onnx=b"no graph")),
    ],
    ids=["absent", "empty", "pickle", "link", "inputs", "learner", "shape", "graph"],
)
def test_bytes_that_are_no_program_are_refused(published: tuple[Artifact, MemoryStore], program: bytes | None) -> None:
    artifact = changed(published, lambda _: program)

    with pytest.raises(Poison) as refusal:
        load(artifact, published[1], KEY)

    assert refusal.value.reason == "malformed"


def test_far_from_every_component_a_mixture_still_gives_a_number() -> None:
    mixture = Mixture(Tensor.of(np.zeros((1, 1))), Tensor.of(np.ones((1, 1, 1))), Tensor.of(np.zeros(1)))
    model = CompiledModel(
        Program(expansion=Expansion(values=(0,), fills=(0.0,)), learner=mixture),
        ModelMetadata(kind="anomaly", inputs=(Input("a"),), score_range=(0.0, 1e12)),
    )

    assert model.answer([{"a": 1e6}]).scores == [0.5]
