"""Orders and champions as others announce them, for a monitor that never sees the model itself."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from shared.messages import Artifact, Command, ModelPublished
from shared.pipeline.specification import Specification
from shared.service import Batch
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


def ordered(s: Any, action: str) -> None:
    """The monitor hears of an order `c` about models."""
    order = Command(
        id="c",
        incident="i",
        pipeline="shop",
        action=action,  # type: ignore[arg-type]
        arguments={},
        reason="",
        issued_by="policy:p@1",
        at=s.now,
        deadline=s.now,
    )
    s.take(s.monitor.on_commands(Batch("commands", 0, [0], [order]), s.now))
