"""What a predictor's process holds once it answers: the libraries that its models need, and no other."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Any

import msgspec
import pytest
from sklearn.ensemble import HistGradientBoostingClassifier, RandomForestClassifier

from services.trainer.packing import kept
from shared.messages import Artifact
from shared.models.inputs import class_positions, matrix
from shared.models.sklearn_model import SklearnModel
from shared.models.store import FileStore
from tests.support.models import CLASSES, KEY, constant_model, labels, linear_model, rows, stored

LEARNING = ("sklearn", "scipy", "skops", "joblib", "river", "pandas", "onnx", "pydantic")
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


@pytest.mark.parametrize("learner", [RandomForestClassifier(5), HistGradientBoostingClassifier(max_iter=5)])
def test_trees_need_onnx_runtime_and_no_library_that_learns(learner: Any, tmp_path: Path) -> None:
    _, metadata = linear_model()
    some = rows(200)
    learner.fit(matrix(some, metadata.inputs), class_positions(labels(some), CLASSES))
    packed = kept(SklearnModel(learner, metadata), some, FileStore(tmp_path), KEY)

    assert imported(packed.artifact, tmp_path) == {"onnxruntime"}


def test_a_model_without_a_compiled_form_brings_its_library(tmp_path: Path) -> None:
    artifact = stored(FileStore(tmp_path), *constant_model(1.0, names=("load",)))

    assert artifact.format == "skops"
    assert {"sklearn", "skops", "scipy"} <= imported(artifact, tmp_path)
