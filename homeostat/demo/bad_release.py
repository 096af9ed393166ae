"""The fault `bad-release`: someone trains a model on swapped labels and promotes it by hand.

The model is made by the trainer's own code for bringing a model of one's own, and promoted by a
person's request: fast, free of errors, and wrong.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from homeostat.client import Client
from shared.models.store import FileStore
from shared.pipeline.specification import Specification

ROWS = 2000


def wrong_candidate(
    specification: Specification, table: Sequence[Mapping[str, Any]], until: int, data_dir: Path, signing_key: bytes
) -> dict[str, Any]:
    """A candidate trained on the `ROWS` rows before `until`, with every label the wrong way round."""
    from homeostat.demo.offline import features_of  # imported here: the stream begins sooner without scikit-learn
    from services.trainer.bring import brought

    rows = table[max(0, until - ROWS) : until]
    target = str(specification.target)
    return brought(
        specification,
        features_of(specification, rows),
        [1 - int(row[target]) for row in rows],
        learner="logistic",
        store=FileStore(data_dir / "artifacts"),
        signing_key=signing_key,
        made_by="demo: labels swapped",
    )


def promote(client: Client, pipeline: str, candidate: Mapping[str, Any]) -> None:
    """A person's request, past the gate: the system finds out from the answers alone."""
    body = {"candidate": dict(candidate), "force": True, "reason": "looked good on a laptop"}
    client.call("POST", f"/v1/pipelines/{pipeline}/promote", json=body)
