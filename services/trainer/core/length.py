"""How far back to learn from: chosen by what answers the newest rows best.

Klinkenberg 2004, "Learning drifting concepts: example selection vs. example weighting": the learner is
fitted on stretches of different length and tested on the newest rows. The best of several on few rows is
often best by luck, so here all rows are learned from unless a shorter stretch beats them by a paired test.
"""

from __future__ import annotations

import numpy as np

from services.trainer.core.candidates import Candidate, Parameters
from services.trainer.core.evaluate import Floats
from services.trainer.core.fitting import Data, fitted, outcome_of
from services.trainer.core.paired import longest_unbeaten, losses_of
from services.trainer.core.window import lengths_of
from shared.pipeline.specification import Specification

MOST_TESTED, LEAST_TESTED = 400, 50
"""On how many of the newest rows lengths are compared."""

LEVEL = 0.05
"""The chance of learning from a shorter stretch than all rows where that is no better."""


def length_of(
    specification: Specification, candidate: Candidate, parameters: Parameters, data: Data, changed: int | None
) -> int:
    """How many of the newest rows of `data` to fit on; `changed` of them come since a change that was noticed.

    Anomaly models, which have nothing to be tested by, take those since the change.
    """
    if data.kind == "anomaly":
        return len(data) if changed is None else min(len(data), max(changed, specification.models.min_rows))
    tested = min(MOST_TESTED, len(data) // 5)
    if changed is not None:
        tested = min(tested, max(LEAST_TESTED, changed // 2))
    if tested < LEAST_TESTED:
        return len(data)
    fit, newest = data[:-tested], data[-tested:]
    losses = {}
    for length in lengths_of(len(fit), None if changed is None else changed - tested, LEAST_TESTED):
        lost = _losses(candidate, parameters, fit[-length:], newest, specification.models.seed)
        if lost is not None:
            losses[length] = lost
    chosen = longest_unbeaten(losses, LEVEL)
    return len(data) if chosen is None else chosen + tested


def _losses(candidate: Candidate, parameters: Parameters, fit: Data, newest: Data, seed: int) -> Floats | None:
    """What the learner fitted on `fit` loses on each of the newest rows; None where it cannot be fitted."""
    try:
        model = fitted(candidate, parameters, fit, seed)
        outcome = outcome_of(model, newest.rows, newest.kind, newest.classes)
    except (ValueError, TypeError, KeyError, ArithmeticError, np.linalg.LinAlgError):
        return None
    return losses_of(newest.kind, newest.truth, outcome.predicted)
