"""Estimators and their compiled forms: the same answers, or no compiled form."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import msgspec
import numpy as np
import pytest
from sklearn.calibration import CalibratedClassifierCV
from sklearn.compose import ColumnTransformer, TransformedTargetRegressor
from sklearn.ensemble import (
    ExtraTreesClassifier,
    HistGradientBoostingClassifier,
    HistGradientBoostingRegressor,
    IsolationForest,
    RandomForestClassifier,
    RandomForestRegressor,
)
from sklearn.frozen import FrozenEstimator
from sklearn.impute import SimpleImputer
from sklearn.linear_model import LogisticRegression, Ridge, SGDClassifier, SGDRegressor
from sklearn.mixture import GaussianMixture
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer, OneHotEncoder, StandardScaler

from services.trainer.core.card import markdown_of
from services.trainer.core.compiling.compile import program_of
from services.trainer.core.compiling.errors import NotCompilableError
from services.trainer.core.compiling.proof import BOUND, Proof, figures_of, proof_of
from services.trainer.core.fitting import Row
from services.trainer.packing import kept
from shared.messages import Value
from shared.models.artifact import load
from shared.models.compiled_format import dump, parse
from shared.models.compiled_model import CompiledModel
from shared.models.metadata import Input, ModelMetadata
from shared.models.program import Linear, Program, Tensor
from shared.models.sklearn_model import SklearnModel
from shared.models.store import MemoryStore
from tests.support.models import constant_model, linear_model, rows

Floats = np.ndarray[Any, np.dtype[np.float64]]

INPUTS = (Input("a"), Input("b"), Input("c", categories=("x", "y", "z", "w")))
RNG = np.random.default_rng(5)
GAPPED = np.column_stack([RNG.normal(100, 3, 500), RNG.exponential(size=500), RNG.integers(0, 4, 500).astype(float)])
GAPPED[::11, 1] = np.nan
GAPPED[::13, 2] = np.nan
WHOLE = np.nan_to_num(GAPPED, nan=2.0)
SIDE = (np.isin(WHOLE[:, 2], (1, 3)) ^ (WHOLE[:, 0] > 100)).astype(np.int64)
THREE = SIDE + (WHOLE[:, 1] > 1)
NUMBER = 1e6 * WHOLE[:, 0] + SIDE


def before(*, scaled: bool = True) -> ColumnTransformer:
    filled = SimpleImputer(strategy="median", add_indicator=True)
    numbers = make_pipeline(filled, StandardScaler()) if scaled else filled
    return ColumnTransformer([("n", numbers, [0, 1]), ("c", OneHotEncoder(handle_unknown="ignore"), [2])])


def boosting(**parts: Any) -> HistGradientBoostingClassifier:
    return HistGradientBoostingClassifier(max_iter=20, categorical_features=[2], random_state=0, **parts)


def platt(estimator: Any, table: Floats, truth: Floats) -> CalibratedClassifierCV:
    return CalibratedClassifierCV(FrozenEstimator(estimator), method="sigmoid").fit(table, truth)


def classifiers() -> dict[str, Callable[[], tuple[Any, Floats, Floats]]]:
    """Unfitted estimators, each with a table and a truth to fit it on."""
    return {
        "logistic": lambda: (LogisticRegression(), WHOLE, SIDE),
        "logistic behind preprocessing": lambda: (make_pipeline(before(), LogisticRegression()), GAPPED, SIDE),
        "softmax": lambda: (make_pipeline(before(), LogisticRegression()), GAPPED, THREE),
        "softmax without the middle class": lambda: (LogisticRegression(), WHOLE, np.where(SIDE == 1, 2, 0)),
        "gradient steps": lambda: (make_pipeline(before(), SGDClassifier("log_loss")), GAPPED, SIDE),
        "gradient steps for three classes": lambda: (make_pipeline(before(), SGDClassifier("log_loss")), GAPPED, THREE),
        "forest": lambda: (make_pipeline(before(scaled=False), RandomForestClassifier(20)), GAPPED, SIDE),
        "forest with gaps": lambda: (RandomForestClassifier(20), GAPPED, SIDE),
        "forest of three classes": lambda: (RandomForestClassifier(20), WHOLE, THREE),
        "forest behind scaling": lambda: (make_pipeline(before(), ExtraTreesClassifier(20)), GAPPED, THREE),
        "forest of bare leaves": lambda: (RandomForestClassifier(5, min_samples_leaf=400), WHOLE, SIDE),
        "boosting with categories": lambda: (boosting(), GAPPED, SIDE),
        "boosting of three classes": lambda: (boosting(), GAPPED, THREE),
        "boosting of one leaf": lambda: (boosting(min_samples_leaf=400), GAPPED, SIDE),
    }


def kind_of(truth: Floats) -> tuple[Any, tuple[str, ...]]:
    return ("multiclass", ("low", "mid", "high")) if truth.max() > 1 else ("binary", ("no", "yes"))


def both(estimator: Any, metadata: ModelMetadata) -> tuple[CompiledModel, SklearnModel]:
    return parse(dump(program_of(estimator, metadata)), metadata), SklearnModel(estimator, metadata)


def rows_of(table: Floats, inputs: Sequence[Input] = INPUTS) -> list[Row]:
    """The rows that a table is the matrix of."""
    return [{item.name: _value(item, each) for item, each in zip(inputs, row, strict=True)} for row in table.tolist()]


def _value(item: Input, number: float) -> Value:
    if np.isnan(number):
        return None
    return number if item.categories is None else item.categories[int(number)]


def assert_alike(estimator: Any, metadata: ModelMetadata, table: Floats) -> None:
    proof = proof_of(*both(estimator, metadata), rows_of(table))

    assert proof.against == ""
    assert proof.rows == len(table)
    assert proof.largest < 1e-12


@pytest.mark.parametrize("name", classifiers())
def test_a_compiled_classifier_answers_as_its_estimator_calibrated_or_not(name: str) -> None:
    estimator, table, truth = classifiers()[name]()
    kind, classes = kind_of(truth)
    metadata = ModelMetadata(kind=kind, inputs=INPUTS, classes=classes)
    estimator.fit(table, truth)

    once = platt(estimator, table, truth)
    twice = platt(once, table, truth)

    for each in (estimator, once, twice):
        assert_alike(each, metadata, table)


@pytest.mark.parametrize(
    "estimator",
    [
        make_pipeline(before(), Ridge()),
        make_pipeline(before(), SGDRegressor()),
        make_pipeline(before(), TransformedTargetRegressor(SGDRegressor(), transformer=StandardScaler())),
        make_pipeline(before(scaled=False), RandomForestRegressor(20)),
        HistGradientBoostingRegressor(max_iter=20, categorical_features=[2]),
    ],
    ids=["ridge", "gradient steps", "gradient steps towards a standardised target", "forest", "boosting"],
)
def test_a_compiled_regression_answers_as_its_estimator(estimator: Any) -> None:
    assert_alike(estimator.fit(GAPPED, NUMBER), ModelMetadata(kind="regression", inputs=INPUTS), GAPPED)


@pytest.mark.parametrize(
    "learner",
    [
        GaussianMixture(3, random_state=0),
        IsolationForest(n_estimators=20, max_features=2, random_state=0),
        IsolationForest(n_estimators=20, max_samples=2, random_state=0),
    ],
    ids=["mixture", "isolation on some features", "isolation by two rows"],
)
def test_a_compiled_anomaly_model_answers_as_its_estimator(learner: Any) -> None:
    estimator = make_pipeline(before(), learner).fit(GAPPED)
    low, high = np.quantile(-estimator.score_samples(GAPPED), [0.0, 0.99]).tolist()
    metadata = ModelMetadata(kind="anomaly", inputs=INPUTS, score_range=(low - 0.1, 2 * high - low))

    assert_alike(estimator, metadata, GAPPED)


def splits_of(estimator: Any) -> Floats:
    """The thresholds that the estimator's trees compare the first input with."""
    if isinstance(estimator, RandomForestClassifier):
        trees = [each.tree_ for each in estimator.estimators_]
        return np.concatenate([tree.threshold[tree.feature == 0] for tree in trees])
    nodes = np.concatenate([tree.nodes for stage in estimator._predictors for tree in stage])
    numbers = (nodes["is_leaf"] == 0) & (nodes["is_categorical"] == 0) & (nodes["feature_idx"] == 1)
    return nodes["num_threshold"][numbers]


@pytest.mark.parametrize("estimator", [boosting(), RandomForestClassifier(20)], ids=["boosting", "forest"])
def test_rows_that_lie_beside_a_split_go_the_same_way(estimator: Any) -> None:
    estimator.fit(WHOLE, SIDE)
    metadata = ModelMetadata(kind="binary", inputs=INPUTS, classes=("no", "yes"))
    splits = splits_of(estimator)
    beside = np.concatenate([splits, np.nextafter(splits, 0), np.nextafter(splits, 1e9), splits.astype(np.float32)])
    table = np.column_stack([beside, np.resize(WHOLE[:, 1:], (len(beside), 2))])

    compiled, original = both(estimator, metadata)

    ours, theirs = compiled.answer_matrix(table), original.answer_matrix(table)
    assert len(splits) > 10
    assert np.allclose(figures_of(ours, metadata), figures_of(theirs, metadata), rtol=0, atol=1e-12)


@pytest.mark.parametrize("name", classifiers())
def test_a_row_with_an_infinite_number_is_refused_by_both_or_answered_alike(name: str) -> None:
    estimator, table, truth = classifiers()[name]()
    kind, classes = kind_of(truth)
    compiled, original = both(estimator.fit(table, truth), ModelMetadata(kind=kind, inputs=INPUTS, classes=classes))
    row = table[1:2].copy()
    row[0, 0] = np.inf

    told = []
    for model in (original, compiled):
        try:
            told.append(model.answer_matrix(row).predictions)
        except ValueError:
            told.append("refused")

    assert told[1] in (told[0], "refused")


def test_the_same_estimator_compiles_to_the_same_bytes() -> None:
    estimator = boosting().fit(GAPPED, SIDE)
    metadata = ModelMetadata(kind="binary", inputs=INPUTS, classes=("no", "yes"))

    assert dump(program_of(estimator, metadata)) == dump(program_of(estimator, metadata))


def proof_with(change: Callable[[Program], Program]) -> Proof:
    """How a program that was changed does against its estimator."""
    estimator, metadata = linear_model()
    program = change(program_of(estimator, metadata))
    return proof_of(CompiledModel(program, metadata), SklearnModel(estimator, metadata), rows(200))


def with_intercept(program: Program, added: float) -> Program:
    linear = program.learner
    assert isinstance(linear, Linear)
    changed = Linear(linear.weights, Tensor.of(linear.intercept.array + added))
    return msgspec.structs.replace(program, learner=changed)


def test_figures_further_apart_than_the_bound_are_no_proof() -> None:
    assert proof_with(lambda program: program).against == ""
    assert proof_with(lambda program: with_intercept(program, BOUND / 10)).against == ""
    assert "differ by up to" in proof_with(lambda program: with_intercept(program, 10 * BOUND)).against


def test_another_fill_is_found_though_the_first_row_has_no_gap() -> None:
    def refilled(program: Program) -> Program:
        return msgspec.structs.replace(
            program, expansion=msgspec.structs.replace(program.expansion, fills=(9.0, *program.expansion.fills[1:]))
        )

    assert "differ by up to" in proof_with(refilled).against


def test_a_program_that_answers_what_the_estimator_refuses_is_no_proof() -> None:
    estimator = LogisticRegression().fit(WHOLE, SIDE)
    metadata = ModelMetadata(kind="binary", inputs=INPUTS, classes=("no", "yes"))
    program = program_of(estimator, metadata)
    filling = msgspec.structs.replace(program, expansion=msgspec.structs.replace(program.expansion, fills=(0.0,) * 3))

    proof = proof_of(CompiledModel(filling, metadata), SklearnModel(estimator, metadata), rows_of(WHOLE))

    assert "only one of the two can answer" in proof.against


def test_another_label_is_no_proof_however_close_the_figures_are() -> None:
    metadata = ModelMetadata(kind="binary", inputs=(Input("a"),), classes=("no", "yes"))
    table = np.linspace(-1, 1, 101)[:, np.newaxis]
    estimator = LogisticRegression().fit(table, (table[:, 0] > 0).astype(int))
    estimator.intercept_ = np.array([0.0])
    program = with_intercept(program_of(estimator, metadata), BOUND)

    some = rows_of(table, metadata.inputs)
    proof = proof_of(CompiledModel(program, metadata), SklearnModel(estimator, metadata), some)

    assert proof.against == "1 of 101 rows get another label"


def test_without_rows_nothing_is_proven() -> None:
    estimator, metadata = linear_model()

    assert proof_of(*both(estimator, metadata), []).against == "there are no rows to prove it on"


@pytest.mark.parametrize(
    ("estimator", "reason"),
    [
        (make_pipeline(FunctionTransformer(np.log1p), LogisticRegression()), "FunctionTransformer"),
        (make_pipeline(StandardScaler(), StandardScaler(), LogisticRegression()), "scaled twice"),
        (make_pipeline(OneHotEncoder(), LogisticRegression()), "one-hot"),
        (make_pipeline(StandardScaler(), boosting()), "changes values"),
        (HistGradientBoostingClassifier(categorical_features=[0]), "'a' is a number"),
        (CalibratedClassifierCV(LogisticRegression(), cv=3), "several estimators"),
        (SGDClassifier("modified_huber"), "SGDClassifier"),
        (TransformedTargetRegressor(Ridge(), func=np.log1p, inverse_func=np.expm1), "target"),
    ],
    ids=["function", "twice", "unknown categories", "boosting", "number", "ensemble", "loss", "target"],
)
def test_what_has_no_compiled_form_is_named(estimator: Any, reason: str) -> None:
    estimator.fit(np.column_stack([np.round(WHOLE[:, 0]), WHOLE[:, 1:]]), SIDE)

    with pytest.raises(NotCompilableError, match=reason):
        program_of(estimator, ModelMetadata(kind="binary", inputs=INPUTS, classes=("no", "yes")))


def test_a_model_that_is_not_compiled_is_published_as_it_is_and_its_card_says_why() -> None:
    estimator, metadata = constant_model(3.0)
    store = MemoryStore()

    packed = kept(SklearnModel(estimator, metadata), [{"x": 1.0}], store, b"key")

    assert packed.artifact.format == "skops"
    assert load(packed.artifact, store, b"key").answer([{"x": 1.0}]).predictions == [3.0]
    assert "not compiled: DummyRegressor has no compiled form" in page(packed.form)


def test_a_compiled_model_says_on_its_card_on_how_many_rows_it_was_proven() -> None:
    estimator, metadata = linear_model()
    store, some = MemoryStore(), rows(200)
    original = SklearnModel(estimator, metadata)

    packed = kept(original, some, store, b"key")

    assert packed.artifact.format == "compiled"
    assert "on 200 training rows it answers as the estimator does" in page(packed.form)
    answers = load(packed.artifact, store, b"key").answer(some)
    assert np.allclose(figures_of(answers, metadata), figures_of(original.answer(some), metadata), atol=1e-12)


def test_a_model_is_not_compiled_without_rows_to_prove_it_on() -> None:
    packed = kept(SklearnModel(*linear_model()), [], MemoryStore(), b"key")

    assert packed.artifact.format == "skops"
    assert packed.form["because"] == "there are no rows to prove it on"


def page(form: dict[str, Any]) -> str:
    data = dict.fromkeys(("rows", "window", "begins", "ends", "excluded_ranges", "hash"), 0)
    return markdown_of(
        {
            "pipeline": "p",
            "about": "",
            "kind": "binary",
            "target": "t",
            "estimator": "",
            "parameters": {},
            "origin": "external",
            "code_revision": "",
            "seed": 0,
            "features": [],
            "classes": [],
            "form": form,
            "data": {**data, "features_ranges": {}, "labels_ranges": {}},
            "metrics": {},
            "gate": {"rows": 0, "passed": True, "reason": ""},
            "limits": [],
        }
    )
