"""A champion as the trainer announces it, for a monitor that never sees the model itself."""

from __future__ import annotations

from collections.abc import Mapping

from shared.messages import Artifact, ModelPublished
from shared.pipeline.specification import Specification
from tests.support.lineage import NO_LINEAGE


def champion(
    spec: Specification,
    version: str,
    features: tuple[str, ...],
    *,
    metrics: Mapping[str, float] | None = None,
    command: str | None = None,
) -> ModelPublished:
    """`version` as the live one of a pipeline with two classes."""
    return ModelPublished(
        pipeline=spec.name,
        version=version,
        stage="champion",
        artifact=Artifact(uri="u", sha256="0", format="skops", size=1, signature=""),
        features=features,
        definition=spec.definition,
        kind=spec.kind,
        lineage=NO_LINEAGE,
        metrics=dict(metrics or {}),
        classes=("0", "1"),
        command=command,
    )
