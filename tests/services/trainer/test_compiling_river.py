"""River's linear learners and their compiled forms: the same answers, or no compiled form."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from river import anomaly, compose, linear_model, multiclass, preprocessing, tree

from services.trainer.core.compiling.errors import NotCompilableError
from services.trainer.core.compiling.proof import figures_of, proof_of
from services.trainer.core.compiling.river import river_program_of
from services.trainer.core.fitting import Row
from services.trainer.core.preprocessing import river_pipeline
from services.trainer.packing import kept
from shared.models.artifact import load, load_estimator
from shared.models.compiled_format import dump, parse
from shared.models.compiled_model import CompiledModel
from shared.models.inputs import inputs_from, river_rows
from shared.models.metadata import ModelMetadata
from shared.models.river_model import RiverModel
from shared.models.store import MemoryStore
from tests.support.processes import printed

NAMES = ("load", "price", "still", "place")
RNG = np.random.default_rng(7)


def rows_with(places: int, count: int = 600) -> list[Row]:
    """A number with gaps, one that never varies, and a text with gaps, in so many categories."""
    load, price = RNG.normal([50.0, 0.0], [10.0, 1.0], size=(count, 2)).T.tolist()
    place = RNG.integers(0, places, count).tolist()
    return [
        {
            "load": load[i],
            "price": None if i % 9 == 4 else price[i],
            "still": 3.5,
            "place": None if i % 13 == 5 else f"p{place[i]}",
        }
        for i in range(count)
    ]


ROWS = rows_with(4)
SIDE = [int(float(row["load"] or 0) > 50) ^ int(row["place"] in ("p1", None)) for row in ROWS]
THREE = [2 - side - int(row["place"] == "p2") for side, row in zip(SIDE, ROWS, strict=True)]
CLASSES = {"binary": ("no", "yes"), "multiclass": ("low", "mid", "high", "never")}


def learnt(kind: Any, learner: Any, rows: list[Row], truth: list[Any]) -> RiverModel:
    inputs = inputs_from(rows, NAMES)
    pipeline = river_pipeline(inputs, learner, scaler=preprocessing.StandardScaler())
    for row, target in zip(river_rows(rows, inputs), truth, strict=True):
        pipeline.learn_one(row) if kind == "anomaly" else pipeline.learn_one(row, target)
    return RiverModel(pipeline, ModelMetadata(kind=kind, inputs=inputs, classes=CLASSES.get(kind, ())))


def models() -> dict[str, RiverModel]:
    one_of_many = multiclass.OneVsRestClassifier(linear_model.LogisticRegression(l2=1e-4))
    numbers = [1e6 * float(row["load"] or 0) + side for row, side in zip(ROWS, SIDE, strict=True)]
    return {
        "logistic": learnt("binary", linear_model.LogisticRegression(l2=1e-4), ROWS, SIDE),
        "one against the rest": learnt("multiclass", one_of_many, ROWS, THREE),
        "linear": learnt("regression", linear_model.LinearRegression(), ROWS, numbers),
        "one class": learnt("anomaly", anomaly.OneClassSVM(nu=0.1), ROWS, SIDE),
    }


MODELS = models()


def compiled(model: RiverModel) -> CompiledModel:
    return parse(dump(river_program_of(model.learner, model.metadata)), model.metadata)


def assert_answered_alike(model: RiverModel, rows: list[Row]) -> None:
    ours, theirs = compiled(model).answer(rows), model.answer(rows)

    assert ours.predictions == theirs.predictions or model.metadata.kind == "regression"
    first, second = figures_of(ours, model.metadata), figures_of(theirs, model.metadata)
    assert np.allclose(first, second, rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize("name", MODELS)
def test_a_compiled_river_learner_answers_as_it_does(name: str) -> None:
    proof = proof_of(compiled(MODELS[name]), MODELS[name], ROWS)

    assert proof.against == ""
    assert proof.rows == len(ROWS)
    assert proof.largest < 1e-12


@pytest.mark.parametrize("name", MODELS)
def test_a_gap_and_a_category_never_seen_are_two_things_as_they_are_to_river(name: str) -> None:
    known = ROWS[0]
    gap, unseen = {**known, "place": None}, {**known, "place": "nowhere"}

    assert_answered_alike(MODELS[name], [known, gap, unseen, {}])
    first, second = figures_of(compiled(MODELS[name]).answer([gap, unseen]), MODELS[name].metadata)
    assert not np.allclose(first, second, rtol=1e-12, atol=1e-9)


@pytest.mark.parametrize("name", MODELS)
def test_a_number_that_never_varied_in_training_counts_for_nothing_when_it_does(name: str) -> None:
    assert_answered_alike(MODELS[name], [{**row, "still": 1e6} for row in ROWS[:20]])


@pytest.mark.parametrize("name", MODELS)
def test_far_from_all_that_was_learnt_the_answers_are_alike_too(name: str) -> None:
    assert_answered_alike(
        MODELS[name], [{**ROWS[0], "load": sign * 10.0**power} for sign in (-1, 1) for power in (3, 6)]
    )


def test_of_classes_that_are_all_out_of_the_question_none_is_likelier() -> None:
    model = models()["one against the rest"]
    for step, each in enumerate(model.learner["OneVsRestClassifier"].classifiers.values()):
        each.intercept = -60.0 - 10 * step

    assert_answered_alike(model, ROWS[:5])
    assert len(set(compiled(model).answer(ROWS[:1]).probabilities[0].values())) == 2  # type: ignore[union-attr]


def test_categories_that_the_metadata_no_longer_lists_have_their_own_weight() -> None:
    rows = rows_with(90)
    model = learnt("binary", linear_model.LogisticRegression(), rows, [i % 2 for i in range(len(rows))])
    listed = model.metadata.inputs[3].categories or ()
    rare = {str(row["place"]) for row in rows if row["place"] is not None} - set(map(str, listed))

    assert len(listed) == 50
    assert len(rare) > 10
    assert_answered_alike(model, [{**rows[0], "place": place} for place in sorted(rare)])


@pytest.mark.parametrize("names", [("load", "price"), ("place",)], ids=["numbers", "texts"])
def test_numbers_alone_and_texts_alone_are_compiled(names: tuple[str, ...]) -> None:
    inputs = inputs_from(ROWS, names)
    pipeline = river_pipeline(inputs, linear_model.LogisticRegression(), scaler=preprocessing.StandardScaler())
    for row, target in zip(river_rows(ROWS, inputs), SIDE, strict=True):
        pipeline.learn_one(row, target)

    assert_answered_alike(RiverModel(pipeline, ModelMetadata(kind="binary", inputs=inputs, classes=("a", "b"))), ROWS)


def numbers_then(*steps: Any) -> Any:
    return compose.Pipeline(compose.SelectType(float), *steps)


@pytest.mark.parametrize(
    ("learner", "reason"),
    [
        (tree.HoeffdingTreeClassifier(), "HoeffdingTreeClassifier"),
        (numbers_then(preprocessing.MaxAbsScaler(), linear_model.LogisticRegression()), "MaxAbsScaler"),
        (
            numbers_then(preprocessing.StandardScaler(window_size=9), linear_model.LogisticRegression()),
            "StandardScaler",
        ),
        (
            numbers_then(
                preprocessing.StandardScaler(), preprocessing.StandardScaler(), linear_model.LogisticRegression()
            ),
            "scaled twice",
        ),
        (numbers_then(preprocessing.OneHotEncoder(), linear_model.LogisticRegression()), "one-hot columns of numbers"),
        (linear_model.LogisticRegression(), "'place' is text"),
        (multiclass.OneVsRestClassifier(tree.HoeffdingTreeClassifier()), "OneVsRestClassifier"),
    ],
    ids=["tree", "scaler", "rolling", "twice", "numbers", "text", "nothing learnt"],
)
def test_what_has_no_compiled_form_is_named(learner: Any, reason: str) -> None:
    metadata = ModelMetadata(kind="binary", inputs=inputs_from(ROWS, NAMES), classes=("no", "yes"))

    with pytest.raises(NotCompilableError, match=reason):
        river_program_of(learner, metadata)


def test_text_among_other_values_is_not_compiled() -> None:
    rows: list[Row] = [{**row, "place": True} if i % 50 == 0 else row for i, row in enumerate(ROWS)]
    model = learnt("binary", linear_model.LogisticRegression(), rows, SIDE)

    with pytest.raises(NotCompilableError, match="'place' mixes text with other values"):
        river_program_of(model.learner, model.metadata)


def test_a_published_river_learner_is_compiled_with_itself_beside_it() -> None:
    model, store = MODELS["logistic"], MemoryStore()

    packed = kept(model, ROWS, store, b"key")

    assert packed.artifact.format == "compiled"
    assert packed.form["rows"] == len(ROWS)
    assert "river" in packed.libraries
    assert isinstance(load(packed.artifact, store, b"key"), CompiledModel)
    original = load_estimator(packed.artifact, store, b"key")
    assert isinstance(original, RiverModel)
    assert original.answer(ROWS) == model.answer(ROWS)
    assert kept(model, ROWS, MemoryStore(), b"key") == packed


def test_a_river_learner_without_a_compiled_form_is_published_as_it_is_and_says_why() -> None:
    model = learnt("binary", tree.HoeffdingTreeClassifier(), ROWS, SIDE)

    packed = kept(model, ROWS, MemoryStore(), b"key")

    assert packed.artifact.format == "signed-river"
    assert packed.form["because"] == "HoeffdingTreeClassifier has no compiled form"


IN_A_PROCESS = """
import hashlib

from services.trainer.core.candidates import candidates_for
from services.trainer.core.compiling.river import river_program_of
from services.trainer.core.fitting import Data, fitted, truth_of
from shared.models.compiled_format import dump
from shared.models.inputs import inputs_from

def learnt(rows, names):
    count = len(rows)
    truth = truth_of("binary", [i * 37 % 101 > 50 for i in range(count)], (False, True))
    data = Data("binary", rows, truth, inputs_from(rows, names), (False, True))
    candidate = candidates_for("binary", ("river-logistic",))[0]
    return fitted(candidate, candidate.defaults, data, 1)

names = [f"field_{i}" for i in range(12)]
many = [{name: (i * (7 + k) % 101) / 33 for k, name in enumerate(names)} | {"c": "xyz"[i % 3]} for i in range(150)]
print(learnt(many, (*names, "c")).answer(many).scores)
wide = [{"a": i * 7 % 101 / 33, "b": None, "c": f"c{i % 60}", "d": "xyz"[i % 3]} for i in range(300)]
model = learnt(wide, ("a", "b", "c", "d"))
print(hashlib.sha256(dump(river_program_of(model.learner, model.metadata))).hexdigest())
"""


def test_a_river_learner_answers_to_the_last_digit_and_compiles_to_the_byte_alike_in_every_process() -> None:
    (scores, program), again = (printed(IN_A_PROCESS, hash_seed=seed).splitlines() for seed in ("1", "2"))

    assert again == [scores, program]
    assert scores.count(",") == 149
    assert len(program) == 64
