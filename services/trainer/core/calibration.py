"""Probabilities of a classifier fitted anew to the newest labelled rows, its ranking of rows unchanged.

Platt, "Probabilistic Outputs for Support Vector Machines", 1999: a logistic curve over the scores.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from services.trainer.core.fitting import Data, Row, model_of, showing, truth_of
from services.trainer.core.gate import Verdict, verdict_on
from services.trainer.core.search import Attempt
from services.trainer.core.training import Trained, held_out_rows
from shared.messages import Value
from shared.models.base import Model
from shared.models.sklearn_model import SklearnModel
from shared.pipeline.specification import Specification


def recalibrated(
    specification: Specification,
    rows: Sequence[Row],
    labels: Sequence[Value],
    *,
    champion: Model | None,
    new_to_champion: Sequence[bool],
) -> Trained:
    """The champion with a calibration on top, judged by log loss on rows that the calibration has not seen.

    Fitted on rows that the champion was not fitted on, since on its own it is surer than it should be.
    """
    if not isinstance(champion, SklearnModel) or specification.kind not in {"binary", "multiclass"}:
        return _refused(_why_not(specification, champion), 0)
    kept = [index for index, new in enumerate(new_to_champion) if new]
    held = held_out_rows(specification, len(kept))
    if len(kept) < 2 * held:
        asked = 2 * specification.gate.min_rows
        return _refused(f"only {len(kept)} labelled rows are new to the champion; calibration needs {asked}", len(kept))
    metadata = champion.metadata
    truth = truth_of(specification.kind, [labels[index] for index in kept], metadata.classes)
    data = Data(specification.kind, [rows[index] for index in kept], truth, metadata.inputs, metadata.classes)
    early, late = data[:-held], data[-held:]
    if len(np.unique(early.truth)) < len(metadata.classes) or bool((early.truth < 0).any()):
        return _refused("the rows to calibrate on do not have the champion's classes, each at least once", len(early))
    seed = specification.models.seed
    shown = showing(_calibrated(champion, early), early, late, seed)
    theirs = showing(champion, early, late, seed)
    by_log_loss = specification.model_copy(
        update={"gate": specification.gate.model_copy(update={"metric": "log_loss", "min_improvement": 0.0})}
    )
    verdict = verdict_on(
        by_log_loss, challenger=shown, champion=theirs, baseline=None, rows=len(late), label_kinds=len(np.unique(truth))
    )
    return Trained(
        verdict,
        model=_calibrated(champion, data) if verdict.passed else None,
        best=Attempt("platt", {"rows": len(data)}, shown.metrics.get("log_loss")),
        challenger=shown.metrics,
        champion=theirs.metrics,
    )


def _calibrated(champion: SklearnModel, data: Data) -> Model:
    from sklearn.calibration import CalibratedClassifierCV
    from sklearn.frozen import FrozenEstimator

    estimator = CalibratedClassifierCV(FrozenEstimator(champion.estimator), method="sigmoid")
    estimator.fit(data.table, data.truth.astype(np.int64))
    return model_of("sklearn", estimator, champion.metadata)


def _why_not(specification: Specification, champion: Model | None) -> str:
    if specification.kind not in {"binary", "multiclass"}:
        return f"a {specification.kind} pipeline has no class probabilities to calibrate"
    if champion is None:
        return "there is no champion that could be calibrated"
    return "the champion is a river learner, which has no calibrated form that predictors load: retrain instead"


def _refused(reason: str, rows: int) -> Trained:
    return Trained(Verdict(passed=False, metric="log_loss", reasons=(reason,), rows=rows))
