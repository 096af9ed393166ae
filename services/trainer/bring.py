"""Bring your own model: turns rows and labels of any origin into a candidate that `promote` takes.

The model is packed, signed and stored like the trainer's own. What comes back is the value of
``candidate`` in a promotion: ``promote {"candidate": ..., "force"?: true}``. Without force it must
pass the gate on the newest labelled rows; with force the person who asks answers for it. Whoever
calls this holds the installation's signing key, which is what makes the model acceptable.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from typing import Any

import msgspec

from services.trainer.core.candidates import candidates_for
from services.trainer.core.fitting import Row, data_of, fitted
from services.trainer.core.orders import plain
from services.trainer.core.releases import Candidate
from services.trainer.packing import kept
from shared.messages import Lineage, Value
from shared.models.metadata import class_text
from shared.models.store import ArtifactStore
from shared.pipeline.specification import Specification


def brought(
    specification: Specification,
    rows: Sequence[Row],
    labels: Sequence[Value],
    *,
    learner: str,
    store: ArtifactStore,
    signing_key: bytes,
    made_by: str,
) -> dict[str, Any]:
    """A candidate as JSON, its `learner` fitted with default parameters on feature rows and their labels.

    The lineage has no ranges of the log, since the rows may come from anywhere: `data_hash` is the
    SHA-256 of rows and labels as JSON, `code_revision` is `made_by`.
    """
    chosen = candidates_for(specification.kind, (learner,))[0]
    data = data_of(specification, rows, labels)
    seed = specification.models.seed
    packed = kept(fitted(chosen, chosen.defaults, data, seed), rows, store, signing_key)
    lineage = Lineage(
        features_ranges={},
        labels_ranges={},
        data_hash=hashlib.sha256(msgspec.json.encode([list(rows), list(labels)])).hexdigest(),
        rows=len(rows),
        specification_version=0,
        specification_digest=specification.digest,
        code_revision=made_by,
        seed=seed,
        libraries=packed.libraries,
        estimator=learner,
        parameters=chosen.defaults,
    )
    return plain(
        Candidate(
            artifact=packed.artifact,
            features=specification.feature_names,
            definition=specification.definition,
            kind=specification.kind,
            lineage=lineage,
            classes=tuple(class_text(each) for each in data.classes),
            origin="external",
        )
    )
