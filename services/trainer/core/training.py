"""Training as a pure function: search on the earlier rows, the gate on the newest, the final fit on all."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from services.trainer.core.candidates import candidates_for
from services.trainer.core.evaluate import baseline
from services.trainer.core.fitting import Data, Row, data_of, fitted, showing
from services.trainer.core.gate import Verdict, metric_of, verdict_on
from services.trainer.core.search import Attempt, Found, NothingFitsError, search
from shared.messages import Value
from shared.models.base import Model
from shared.models.inputs import inputs_from
from shared.pipeline.specification import Specification


@dataclass(frozen=True, slots=True)
class Trained:
    """What training came to. `model` is fitted on all rows, and None where the gate refused.

    The three showings' metrics are of the same held-out rows; `challenger` was not fitted on them.
    """

    verdict: Verdict
    model: Model | None = None
    best: Attempt | None = None
    found: Found | None = None
    challenger: Mapping[str, float] | None = None
    champion: Mapping[str, float] | None = None
    baseline: Mapping[str, float] | None = None


def trained(
    specification: Specification,
    rows: Sequence[Row],
    labels: Sequence[Value],
    *,
    champion: Model | None,
    new_to_champion: Sequence[bool],
    clock: Callable[[], float],
) -> Trained:
    """Trains on rows in stream order; `new_to_champion[i]` says that row i was not in the champion's training set."""
    held = held_out_rows(specification, len(rows))
    if len(rows) - held < held:
        return _refused(specification, len(rows), f"{len(rows)} rows are too few to fit on and to hold {held} out")
    seed = specification.models.seed
    data = data_of(specification, rows, labels)
    early = _with_inputs_of_its_own(specification, data[:-held])
    if specification.kind in {"binary", "multiclass"} and len(np.unique(early.truth)) < 2:
        return _refused(specification, len(rows), "the rows to fit on have labels of one class only")
    if specification.kind == "binary" and len(data.classes) > 2:
        return _refused(specification, len(rows), f"a binary target has {len(data.classes)} values: {data.classes!r}")
    try:
        found = _searched(specification, early, clock)
    except NothingFitsError as error:
        return _refused(specification, len(rows), f"no candidate could be fitted: {error}")
    best = found.best
    candidate = candidates_for(specification.kind, (best.candidate,))[0]
    challenger = fitted(candidate, best.parameters, early, seed)
    late, note = _comparable(specification, data[-held:], list(new_to_champion[-held:]), champion)
    shown = showing(challenger, early, late, seed)
    theirs = None if champion is None else showing(champion, early, late, seed)
    simple = None
    if late.known_truth is not None and specification.kind != "anomaly":
        simple = baseline(specification.kind, early.truth, late.truth, len(data.classes))
    verdict = verdict_on(
        specification,
        challenger=shown,
        champion=theirs,
        baseline=simple,
        rows=len(late),
        label_kinds=len(np.unique(late.truth)),
        note=note,
    )
    model = fitted(candidate, best.parameters, data, seed) if verdict.passed else None
    return Trained(verdict, model, best, found, shown.metrics, None if theirs is None else theirs.metrics, simple)


def held_out_rows(specification: Specification, rows: int) -> int:
    """How many of the newest rows the gate judges on."""
    return max(specification.gate.min_rows, round(rows * specification.gate.holdout))


def _searched(specification: Specification, data: Data, clock: Callable[[], float]) -> Found:
    models = specification.models
    metric = specification.main_metric
    if specification.kind == "anomaly":
        both = data.known_truth is not None and len(np.unique(data.truth)) == 2
        metric = metric_of(specification, {metric: 0.0} if both else {})
    return search(
        candidates_for(specification.kind, models.candidates),
        data,
        metric=metric,
        fold_count=models.folds,
        seed=models.seed,
        trials=models.search.trials,
        seconds=models.search.seconds,
        clock=clock,
    )


def _comparable(
    specification: Specification, late: Data, new: Sequence[bool], champion: Model | None
) -> tuple[Data, str]:
    """The held-out rows that the champion was not fitted on either, where these are enough to judge by."""
    if champion is None or all(new):
        return late, ""
    kept = [index for index, each in enumerate(new) if each]
    if len(kept) >= specification.gate.min_rows:
        rows = [late.rows[index] for index in kept]
        return Data(late.kind, rows, late.truth[kept], late.inputs, late.classes), ""
    return late, f"the champion was fitted on {len(late) - len(kept)} of these {len(late)} rows, which favours it"


def _with_inputs_of_its_own(specification: Specification, data: Data) -> Data:
    """The same rows, with fillings and categories taken from them alone and not from the held-out ones."""
    return Data(data.kind, data.rows, data.truth, inputs_from(data.rows, specification.feature_names), data.classes)


def _refused(specification: Specification, rows: int, reason: str) -> Trained:
    return Trained(Verdict(passed=False, metric=specification.main_metric, reasons=(reason,), rows=rows))
