"""What a predictor's process holds once it answers: the libraries that its models need, and no other."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import pytest
from sklearn.ensemble import HistGradientBoostingClassifier, RandomForestClassifier

from services.trainer.core.candidates import candidates_for
from services.trainer.core.fitting import Data, fitted
from services.trainer.packing import kept
from shared.messages import Artifact
from shared.models.inputs import inputs_from, matrix
from shared.models.sklearn_model import SklearnModel
from shared.models.store import FileStore
from shared.pipeline.kinds import Kind
from tests.support.models import CLASSES, KEY, NAMES, constant_model, labels, linear_model, positions_of, rows, stored

LEARNING = ("sklearn", "scipy", "skops", "joblib", "river", "pandas", "sqlalchemy", "narwhals", "onnx", "pydantic")
ANSWERS = f"""
import sys
from pathlib import Path

import msgspec

import services.predictor.__main__
from shared.messages import Artifact
from shared.models.artifact import ModelCache
from shared.models.store import FileStore

artifact = msgspec.json.decode(sys.argv[2], type=Artifact)
model = ModelCache(FileStore(Path(sys.argv[1])), {KEY!r}).get(artifact)
assert len(model.answer([{{"load": 1.0, "price": None, "region": "nsw"}}, {{}}]).predictions) == 2
print(*(name for name in {(*LEARNING, "onnxruntime")!r} if name in sys.modules))
"""


def imported(artifact: Artifact, folder: Path) -> set[str]:
    """The libraries in a fresh process after the first answer of this artefact's model."""
    command = [sys.executable, "-c", ANSWERS, str(folder), msgspec.json.encode(artifact).decode()]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return set(done.stdout.split())


def test_a_linear_model_answers_on_numpy_alone(tmp_path: Path) -> None:
    packed = kept(SklearnModel(*linear_model()), rows(200), FileStore(tmp_path), KEY)

    assert imported(packed.artifact, tmp_path) == set()


@pytest.mark.parametrize(
    ("kind", "name"),
    [("binary", "river-logistic"), ("multiclass", "river-logistic"), ("anomaly", "river-one-class-svm")],
)
def test_a_linear_model_of_river_answers_on_numpy_alone(kind: Kind, name: str, tmp_path: Path) -> None:
    some = rows(200)
    classes = CLASSES if kind != "anomaly" else ()
    truth = positions_of(labels(some)).astype(np.float64)
    candidate = candidates_for(kind, (name,))[0]
    data = Data(kind, some, truth if classes else np.full(200, np.nan), inputs_from(some, NAMES), classes)
    packed = kept(fitted(candidate, candidate.defaults, data, 0), some, FileStore(tmp_path), KEY)

    assert packed.artifact.format == "compiled", packed.form
    assert imported(packed.artifact, tmp_path) == set()


@pytest.mark.parametrize("learner", [RandomForestClassifier(5), HistGradientBoostingClassifier(max_iter=5)])
def test_trees_need_onnx_runtime_and_no_library_that_learns(learner: Any, tmp_path: Path) -> None:
    _, metadata = linear_model()
    some = rows(200)
    learner.fit(matrix(some, metadata.inputs), positions_of(labels(some)))
    packed = kept(SklearnModel(learner, metadata), some, FileStore(tmp_path), KEY)

    assert imported(packed.artifact, tmp_path) == {"onnxruntime"}


def test_a_model_without_a_compiled_form_brings_its_library(tmp_path: Path) -> None:
    artifact = stored(FileStore(tmp_path), *constant_model(1.0, names=("load",)))

    assert artifact.format == "skops"
    assert {"sklearn", "skops", "scipy"} <= imported(artifact, tmp_path)
