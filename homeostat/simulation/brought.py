"""Versions that a person brings from outside: one that may answer, and two that must not."""

from __future__ import annotations

from random import Random
from typing import Any, NamedTuple

import msgspec

from shared.messages import Artifact, Value
from shared.models.store import MemoryStore
from shared.pipeline.specification import Specification

BROUGHT = "somewhere else"
"""Where their lineage says that they were made."""

_LEARNERS = {"binary": "logistic", "regression": "ridge", "anomaly": "gaussian-mixture"}
_ROWS = 200


class Brought(NamedTuple):
    """Candidates as JSON, and the bytes of their artefacts.

    `fit` is what it says. `other` is named as of the pipeline's kind, and its artefact is of another.
    `old` takes features of a definition that is not the pipeline's.
    """

    fit: dict[str, Any]
    other: dict[str, Any]
    old: dict[str, Any]
    artifacts: tuple[bytes, ...]


def brought(specification: Specification, elsewhere: Specification, signing_key: bytes) -> Brought:
    """Fits two models for the pipeline, and one for `elsewhere`, of another kind."""
    fit, data = _made(specification, signing_key)
    other, others_data = _made(elsewhere, signing_key)
    told: dict[str, Any] = {name: fit[name] for name in ("features", "definition", "kind", "classes") if name in fit}
    old, old_data = _made(specification, signing_key, "old")
    return Brought(fit, {**other, **told}, {**old, "definition": "0" * 16}, (data, others_data, old_data))


def _made(specification: Specification, signing_key: bytes, of: str = "new") -> tuple[dict[str, Any], bytes]:
    from services.trainer.bring import brought as candidate_of  # the learning libraries come with it

    store = MemoryStore()
    rows, labels = _data(specification, of)
    learner = _LEARNERS[specification.kind]
    found = candidate_of(
        specification, rows, labels, learner=learner, store=store, signing_key=signing_key, made_by=BROUGHT
    )
    return found, store.get(msgspec.convert(found["artifact"], Artifact))


def _data(specification: Specification, of: str) -> tuple[list[dict[str, Value]], list[Value]]:
    """Rows as the world's are before any trouble, and what they mean."""
    rng = Random(f"brought/{specification.kind}/{of}")
    rows: list[dict[str, Value]] = [
        {name: round(rng.gauss(0.0, 1.0), 6) for name in specification.feature_names} for _ in range(_ROWS)
    ]
    levels = [2.0 * float(str(row["heat"])) - float(str(row["load"])) for row in rows]
    binary = specification.kind == "binary"
    return rows, [int(level > 0.0) if binary else round(level, 6) for level in levels]
