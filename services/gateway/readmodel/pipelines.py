"""The newest specification of each pipeline, and which versions there were."""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from pydantic import ValidationError

from services.gateway.readmodel.entry import Entry
from shared.messages import PipelineDefined
from shared.pipeline.contract import Contract
from shared.pipeline.specification import Specification

HISTORY = 50


@dataclass(slots=True)
class Pipeline:
    """One pipeline as it is now. `history` holds the newest definitions, oldest first."""

    defined: PipelineDefined
    specification: Specification
    contract: Contract
    history: deque[dict[str, Any]] = field(default_factory=lambda: deque(maxlen=HISTORY))

    @property
    def view(self) -> dict[str, Any]:
        """What GET shows: the canonical specification and where it came from."""
        return {
            "name": self.defined.pipeline,
            "kind": self.specification.kind,
            "version": self.defined.version,
            "digest": self.defined.digest,
            "defined_at": self.defined.at.isoformat(),
            "issued_by": self.defined.issued_by,
            "main_metric": self.specification.main_metric,
            "features": list(self.specification.feature_names),
            "specification": self.specification.canonical,
            "history": list(self.history),
        }


class PipelineBook:
    """All pipelines that are not removed, by name. `last_versions` remembers removed ones too."""

    def __init__(self) -> None:
        self._pipelines: dict[str, Pipeline] = {}
        self.last_versions: dict[str, int] = {}

    def on_pipelines(self, entries: Sequence[Entry[PipelineDefined]]) -> None:
        for entry in entries:
            self._fold(entry.message)

    def _fold(self, defined: PipelineDefined) -> None:
        self.last_versions[defined.pipeline] = max(defined.version, self.last_versions.get(defined.pipeline, 0))
        if defined.removed:
            self._pipelines.pop(defined.pipeline, None)
            return
        try:
            specification = Specification.model_validate(defined.specification)
        except ValidationError:  # written by another release: the last one it understood stays in force
            return
        known = self._pipelines.get(defined.pipeline)
        pipeline = Pipeline(defined, specification, Contract(specification)) if known is None else known
        pipeline.defined, pipeline.specification = defined, specification
        pipeline.contract = Contract(specification)
        pipeline.history.append(
            {
                "version": defined.version,
                "digest": defined.digest,
                "at": defined.at.isoformat(),
                "issued_by": defined.issued_by,
            }
        )
        self._pipelines[defined.pipeline] = pipeline

    def get(self, name: str) -> Pipeline | None:
        return self._pipelines.get(name)

    def all(self) -> list[Pipeline]:
        """By name."""
        return [self._pipelines[name] for name in sorted(self._pipelines)]
