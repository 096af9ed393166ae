"""Small real models and the messages about them, for tests of those who publish and those who answer."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.compose import ColumnTransformer
from sklearn.dummy import DummyRegressor
from sklearn.impute import SimpleImputer
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import Pipeline, make_pipeline
from sklearn.preprocessing import OneHotEncoder, StandardScaler

from shared.messages import Artifact, Features, ModelPublished, Stage, Value
from shared.models.artifact import keep, package
from shared.models.inputs import inputs_from, matrix
from shared.models.metadata import Input, ModelMetadata
from shared.models.store import ArtifactStore
from tests.support.lineage import NO_LINEAGE

KEY = b"a signing key for tests, 32 bytes"
AT = datetime(2026, 1, 1, tzinfo=UTC)
NAMES = ("load", "price", "region")
CLASSES = ("DOWN", "UP")
DEFINITION = "d1"


def rows(count: int, seed: int = 0) -> list[dict[str, Value]]:
    """Feature rows: two numbers, one of them sometimes missing, and a text."""
    rng = np.random.default_rng(seed)
    load, price = rng.normal(size=(2, count)).round(4).tolist()
    region = rng.choice(["nsw", "vic", "qld"], count).tolist()
    return [
        {"load": a, "price": None if i % 17 == 3 else b, "region": c}
        for i, (a, b, c) in enumerate(zip(load, price, region, strict=True))
    ]


def labels(some: Sequence[dict[str, Value]]) -> list[Value]:
    """The truth about `rows`: UP where the load is above a bar that depends on the region."""
    bars = {"nsw": 0.0, "vic": 0.5, "qld": -0.5}
    return [CLASSES[float(row["load"] or 0) > bars[str(row["region"])]] for row in some]


def positions_of(some: Sequence[Value]) -> NDArray[np.int64]:
    """Labels as positions in `CLASSES`, as estimators are fitted."""
    return np.array([CLASSES.index(str(label)) for label in some], dtype=np.int64)


def linear_model() -> tuple[Pipeline, ModelMetadata]:
    """A fitted pipeline for `rows`, in the input form of `shared.models.inputs`."""
    some = rows(400)
    inputs = inputs_from(some, NAMES)
    numbers = make_pipeline(SimpleImputer(strategy="median"), StandardScaler())
    columns = ColumnTransformer([("n", numbers, [0, 1]), ("c", OneHotEncoder(handle_unknown="ignore"), [2])])
    estimator = make_pipeline(columns, LogisticRegression())
    estimator.fit(matrix(some, inputs), positions_of(labels(some)))
    return estimator, ModelMetadata(kind="binary", inputs=inputs, classes=CLASSES)


def constant_model(value: float, names: Sequence[str] = ("x",)) -> tuple[DummyRegressor, ModelMetadata]:
    """A regression that always answers `value`: its answers tell who gave them."""
    estimator = DummyRegressor(strategy="constant", constant=value).fit(np.zeros((2, len(names))), [0.0, 1.0])
    return estimator, ModelMetadata(kind="regression", inputs=tuple(Input(name) for name in names))


def stored(store: ArtifactStore, estimator: Any, metadata: ModelMetadata, key: bytes = KEY) -> Artifact:
    """The estimator packed, kept and signed."""
    return keep(*package(estimator, metadata), store, key)


def published(
    version: str,
    artifact: Artifact,
    metadata: ModelMetadata,
    *,
    stage: Stage = "champion",
    weight: float = 1.0,
    command: str | None = None,
    pipeline: str = "demo",
) -> ModelPublished:
    return ModelPublished(
        pipeline=pipeline,
        version=version,
        stage=stage,
        artifact=artifact,
        features=metadata.features,
        definition=DEFINITION,
        kind=metadata.kind,
        lineage=NO_LINEAGE,
        weight=weight,
        command=command,
    )


def event(id_: str, values: dict[str, Value], *, entity: str | None = None, pipeline: str = "demo") -> Features:
    return Features(
        pipeline=pipeline,
        id=id_,
        entity=entity or id_,
        source="default",
        at=AT,
        values=values,
        raw=values,
        origin=(0, 0),
        definition=DEFINITION,
    )
