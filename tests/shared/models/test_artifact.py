from __future__ import annotations

import hashlib
import io
import zipfile
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import pytest
import skops.io
from river import anomaly, compose, forest, linear_model, preprocessing, tree
from sklearn.ensemble import HistGradientBoostingClassifier, IsolationForest, RandomForestRegressor
from sklearn.linear_model import LogisticRegression
from sklearn.preprocessing import FunctionTransformer

from shared.errors import Misconfigured, Poison, Transient
from shared.messages import Artifact, Value
from shared.models.artifact import ModelCache, keep, load, package
from shared.models.base import MatrixModel
from shared.models.inputs import inputs_from, matrix, river_rows
from shared.models.metadata import Input, ModelMetadata
from shared.models.store import MemoryStore
from tests.support import models as support
from tests.support.models import CLASSES, KEY, NAMES, constant_model, labels, positions_of, rows, stored

SOME = rows(300)
INPUTS = inputs_from(SOME, NAMES)
TABLE = matrix(SOME, INPUTS)
TRUTH = positions_of(labels(SOME))


def container(body: bytes, metadata: ModelMetadata) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        archive.writestr("homeostat.json", msgspec.json.encode(metadata))
        archive.writestr("estimator", body)
    return buffer.getvalue()


def bomb(canary: Path) -> bytes:
    """Bytes that write `canary` when an unguarded unpickler reads them."""
    return f"cos\nsystem\n(S'touch {canary}'\ntR.".encode()


def reason_of(artifact: Artifact, store: MemoryStore, key: bytes = KEY) -> str:
    with pytest.raises(Poison) as refusal:
        load(artifact, store, key)
    return refusal.value.reason


def test_a_pipeline_answers_after_the_round_trip_as_it_did_before() -> None:
    estimator, metadata = support.linear_model()
    store = MemoryStore()

    model = load(stored(store, estimator, metadata), store, KEY)
    answers = model.answer(SOME)

    expected = estimator.predict_proba(matrix(SOME, metadata.inputs))
    assert model.metadata == metadata
    assert model.features == NAMES
    assert answers.scores == expected[:, 1].tolist()
    assert answers.predictions == [CLASSES[int(row[1] > 0.5)] for row in expected]
    assert answers.probabilities[0] == {"DOWN": expected[0, 0], "UP": expected[0, 1]}
    assert sum(map(str.__eq__, map(str, answers.predictions), map(str, labels(SOME)))) > 250


def test_no_rows_get_no_answers() -> None:
    store = MemoryStore()

    assert not load(stored(store, *support.linear_model()), store, KEY).answer([]).predictions


@pytest.mark.parametrize("classes", [("DOWN", "UP"), (False, True), (0, 1), (0.5, 1.5)])
def test_predictions_have_the_targets_own_type(classes: tuple[Value, ...]) -> None:
    estimator, metadata = support.linear_model()
    store = MemoryStore()

    model = load(stored(store, estimator, msgspec.structs.replace(metadata, classes=classes)), store, KEY)

    assert {type(value) for value in model.answer(SOME).predictions} == {type(classes[0])}


def test_a_class_that_training_never_saw_has_probability_zero() -> None:
    three = np.where(TRUTH == 1, 2, 0)
    estimator = LogisticRegression().fit(np.nan_to_num(TABLE), three)
    metadata = ModelMetadata(kind="multiclass", inputs=INPUTS, classes=("a", "b", "c"))
    store = MemoryStore()

    answers = load(stored(store, estimator, metadata), store, KEY).answer(
        [{"load": 1.0, "price": 0.0, "region": "nsw"}]
    )

    assert answers.probabilities[0] is not None
    assert answers.probabilities[0]["b"] == 0.0
    assert answers.scores[0] == max(answers.probabilities[0].values())


def test_an_isolation_forest_scores_in_the_unit_interval_and_judges_by_threshold() -> None:
    estimator = IsolationForest(n_estimators=30, random_state=0).fit(np.nan_to_num(TABLE))
    metadata = ModelMetadata(kind="anomaly", inputs=INPUTS, threshold=0.6)
    store = MemoryStore()
    usual, strange = {"load": 0.0, "price": 0.0, "region": "nsw"}, {"load": 9.0, "price": -9.0, "region": "nsw"}

    answers = load(stored(store, estimator, metadata), store, KEY).answer([usual, strange])

    assert answers.predictions == [False, True]
    assert 0 <= answers.scores[0] < answers.scores[1] <= 1  # type: ignore[operator]


@pytest.mark.parametrize(
    ("estimator", "kind"),
    [
        (HistGradientBoostingClassifier(max_iter=10, categorical_features=[2]), "binary"),
        (RandomForestRegressor(5), "regression"),
    ],
    ids=["histogram-boosting", "forest"],
)
def test_trees_pass_the_trusted_list(estimator: Any, kind: Any) -> None:
    estimator.fit(np.nan_to_num(TABLE), TRUTH)
    metadata = ModelMetadata(kind=kind, inputs=INPUTS, classes=CLASSES if kind == "binary" else ())
    store = MemoryStore()

    model = load(stored(store, estimator, metadata), store, KEY)

    assert len(model.answer(SOME).predictions) == len(SOME)


def river_learners() -> dict[str, tuple[str, Any]]:
    numbers = compose.SelectType(float)
    both = (numbers | preprocessing.StandardScaler()) + (compose.SelectType(str) | preprocessing.OneHotEncoder())
    return {
        "logistic": ("binary", both | linear_model.LogisticRegression()),
        "adaptive-tree": ("binary", tree.HoeffdingAdaptiveTreeClassifier(seed=1)),
        "adaptive-forest": ("binary", forest.ARFClassifier(n_models=3, seed=1)),
        "linear": ("regression", compose.SelectType(float) | linear_model.LinearRegression()),
        "adaptive-tree-regressor": ("regression", numbers.clone() | tree.HoeffdingAdaptiveTreeRegressor(seed=1)),
        "half-space-trees": (
            "anomaly",
            numbers.clone() | preprocessing.MinMaxScaler() | anomaly.HalfSpaceTrees(seed=1),
        ),
    }


@pytest.mark.parametrize("name", river_learners())
def test_a_river_learner_answers_after_the_round_trip_as_it_did_before(name: str) -> None:
    kind, learner = river_learners()[name]
    metadata = ModelMetadata(kind=kind, inputs=INPUTS, classes=CLASSES if kind == "binary" else ())  # type: ignore[arg-type]
    taken = river_rows(SOME, INPUTS)
    for row, truth in zip(taken, TRUTH.tolist(), strict=True):
        learner.learn_one(row) if kind == "anomaly" else learner.learn_one(row, truth)
    store = MemoryStore()

    answers = load(stored(store, learner, metadata), store, KEY).answer(SOME)

    if kind == "binary":
        assert answers.scores == pytest.approx([learner.predict_proba_one(row).get(1, 0.0) for row in taken])
    elif kind == "regression":
        assert answers.predictions == [learner.predict_one(row) for row in taken]
    else:
        assert answers.scores == [learner.score_one(row) for row in taken]


def test_a_river_learner_that_knows_nothing_gives_all_classes_the_same() -> None:
    metadata = ModelMetadata(kind="binary", inputs=INPUTS, classes=CLASSES)
    store = MemoryStore()

    answers = load(stored(store, tree.HoeffdingTreeClassifier(), metadata), store, KEY).answer(SOME[:1])

    assert answers.probabilities == [{"DOWN": 0.5, "UP": 0.5}]


def test_answering_teaches_a_river_learner_nothing() -> None:
    metadata = ModelMetadata(kind="binary", inputs=INPUTS, classes=CLASSES)
    learner = river_learners()["logistic"][1]
    for row, truth in zip(river_rows(SOME, INPUTS), TRUTH.tolist(), strict=True):
        learner.learn_one(row, truth)
    store = MemoryStore()
    model = load(stored(store, learner, metadata), store, KEY)

    assert model.answer(SOME).scores == model.answer(SOME).scores


def test_unsigned_altered_and_foreign_signatures_are_refused_by_name() -> None:
    store = MemoryStore()
    good = stored(store, *constant_model(1.0))
    other = stored(store, *constant_model(2.0))
    foreign = keep(*package(*constant_model(1.0)), store, b"another installation's key")

    assert reason_of(msgspec.structs.replace(good, signature=""), store) == "unsigned"
    assert reason_of(msgspec.structs.replace(good, signature="0" * 64), store) == "signature"
    assert reason_of(msgspec.structs.replace(good, signature="ä"), store) == "signature"
    assert reason_of(msgspec.structs.replace(good, sha256=other.sha256), store) == "signature"
    assert reason_of(foreign, store) == "signature"


def test_without_a_signing_key_nothing_is_signed_or_loaded() -> None:
    store = MemoryStore()
    good = stored(store, *constant_model(1.0))

    with pytest.raises(Misconfigured, match="HOMEOSTAT_SIGNING_KEY"):
        load(good, store, b"")
    with pytest.raises(Misconfigured, match="HOMEOSTAT_SIGNING_KEY"):
        keep(b"", "skops", store, b"")


def test_the_signature_is_checked_before_the_bytes_are_fetched() -> None:
    absent = Artifact(uri="", sha256="0" * 64, format="skops", size=0, signature="0" * 64)

    assert reason_of(absent, MemoryStore()) == "signature"


@pytest.mark.parametrize("form", ["skops", "signed-river"])
@pytest.mark.parametrize("wrapped", [True, False], ids=["in-a-container", "renamed"])
def test_a_pickle_that_runs_code_is_refused_and_runs_nothing(form: str, wrapped: bool, tmp_path: Path) -> None:
    canary = tmp_path / "canary"
    _, metadata = constant_model(1.0)
    data = container(bomb(canary), metadata) if wrapped else bomb(canary)
    store = MemoryStore()

    reason = reason_of(keep(data, form, store, KEY), store)

    assert reason in ("malformed", "untrusted-type")
    assert not canary.exists()


@pytest.mark.parametrize(
    "body",
    [
        b"cbuiltins\neval\n(S'1'\ntR.",
        b"criver.compose.pipeline\ntyping\n.",
        b"\x80\x04\x8c\x16river.compose.pipeline\x8c\x17collections.OrderedDict\x93.",
        b"criver.datasets.base\nRemoteDataset\n.",
        b"criver.utils.pretty\nprint_table\n.",
    ],
    ids=["builtin", "imported-module", "through-a-module", "unlisted-package", "function"],
)
def test_a_signed_learner_may_hold_listed_classes_only(body: bytes) -> None:
    store = MemoryStore()
    _, metadata = constant_model(1.0)

    assert reason_of(keep(container(body, metadata), "signed-river", store, KEY), store) == "untrusted-type"


class Unlisted:
    """A type that is on no list."""


def test_a_skops_file_with_another_type_is_refused() -> None:
    _, metadata = constant_model(1.0)
    store = MemoryStore()
    data = container(skops.io.dumps(Unlisted()), metadata)

    assert reason_of(keep(data, "skops", store, KEY), store) == "untrusted-type"


def test_what_no_predictor_would_load_is_not_packed() -> None:
    with pytest.raises(Poison, match="not trusted"):
        package(FunctionTransformer(reason_of), ModelMetadata(kind="regression", inputs=(Input("x"),)))


def test_an_unknown_format_is_refused() -> None:
    store = MemoryStore()
    good = stored(store, *constant_model(1.0))

    assert reason_of(msgspec.structs.replace(good, format="joblib"), store) == "format"


@pytest.mark.parametrize("cut", [0, 1, 100])
def test_bytes_that_are_no_artefact_are_refused(cut: int) -> None:
    store = MemoryStore()
    data, form = package(*constant_model(1.0))

    assert reason_of(keep(data[:cut], form, store, KEY), store) == "malformed"


def test_the_cache_loads_once_keeps_the_newest_and_still_checks_signatures() -> None:
    store = MemoryStore()
    first, second = stored(store, *constant_model(1.0)), stored(store, *constant_model(2.0))
    cache = ModelCache(store, KEY, size=1)

    kept = cache.get(first)
    assert cache.get(first) is kept
    with pytest.raises(Poison, match="unsigned"):
        cache.get(msgspec.structs.replace(first, signature=""))
    cache.get(second)
    assert cache.get(first) is not kept


def test_the_cache_remembers_no_failure() -> None:
    elsewhere, store = MemoryStore(), MemoryStore()
    data, form = package(*constant_model(1.0))
    artifact = keep(data, form, elsewhere, KEY)
    cache = ModelCache(store, KEY)

    with pytest.raises(Transient):
        cache.get(artifact)
    store.put(data)

    assert cache.get(artifact).answer([{"x": 1.0}]).predictions == [1.0]
    assert hashlib.sha256(data).hexdigest() == artifact.sha256


def test_a_model_of_the_cache_answers_a_matrix_as_it_answers_rows() -> None:
    store = MemoryStore()
    model = ModelCache(store, KEY).get(stored(store, *constant_model(1.0)))

    assert isinstance(model, MatrixModel)
    assert model.answer_matrix(matrix([{"x": 2.0}], model.inputs)) == model.answer([{"x": 2.0}])
