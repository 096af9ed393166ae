"""The model of a benchmark as whoever answers by hand opens it: a file that names the artefact, beside the artefacts.

It imports nothing of the services, so that peers can use it in their own environments.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any, Literal

import msgspec

from shared.messages import Artifact
from shared.models.artifact import load, load_estimator
from shared.models.store import FileStore

KEY = b"a key for the benchmark"
FILE = "model.json"
ARTIFACTS = "artifacts"

Form = Literal["estimator", "compiled"]
FORMS: tuple[Form, ...] = ("estimator", "compiled")


def named(artifact: Artifact, folder: Path) -> Path:
    """Writes the file that names it; the artefact itself lies in the folder's `ARTIFACTS`."""
    path = folder / FILE
    path.write_bytes(msgspec.json.encode(artifact))
    return path


def opened(file: Path, form: Form) -> tuple[tuple[str, ...], Callable[[Any], Any]]:
    """The model's features in order, and its probabilities by class of a matrix of them."""
    artifact = msgspec.json.decode(file.read_bytes(), type=Artifact)
    reader = load if form == "compiled" else load_estimator
    model: Any = reader(artifact, FileStore(file.parent / ARTIFACTS), KEY)
    return model.features, model.figures if form == "compiled" else model.estimator.predict_proba
