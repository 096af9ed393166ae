"""A model that was not made here, held against the champion on the newest rows."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from services.trainer.core.evaluate import baseline
from services.trainer.core.fitting import Row, data_of, showing
from services.trainer.core.gate import verdict_on
from services.trainer.core.training import Trained, held_out_rows
from shared.messages import Value
from shared.models.base import Model
from shared.pipeline.specification import Specification


def judged(
    specification: Specification,
    rows: Sequence[Row],
    labels: Sequence[Value],
    *,
    model: Model,
    champion: Model | None,
) -> Trained:
    """The verdict on `model`, and the figures.

    Nobody knows what it was fitted on; the newest rows are the least likely to be among them.
    """
    data = data_of(specification, rows, labels)
    held = min(len(data), held_out_rows(specification, len(data)))
    early, late = data[: len(data) - held], data[len(data) - held :]
    seed = specification.models.seed
    shown = showing(model, data, late, seed)
    theirs = None if champion is None else showing(champion, data, late, seed)
    simple = None
    if late.known_truth is not None and specification.kind != "anomaly" and len(early):
        simple = baseline(specification.kind, early.truth, late.truth, len(data.classes))
    verdict = verdict_on(
        specification,
        challenger=shown,
        champion=theirs,
        baseline=simple,
        rows=len(late),
        label_kinds=len(np.unique(late.truth)),
    )
    champion_metrics = None if theirs is None else theirs.metrics
    return Trained(verdict, challenger=shown.metrics, champion=champion_metrics, baseline=simple)
