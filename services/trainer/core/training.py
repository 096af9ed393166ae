"""Training as a pure function: search on the earlier rows, the gate on the newest, the final fit on all.

How far back is learned from is a choice of its own, see `length`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np

from services.trainer.core.candidates import candidates_for
from services.trainer.core.evaluate import baseline
from services.trainer.core.fitting import Data, Row, data_of, fitted, outcome_of, showing
from services.trainer.core.gate import Verdict, metric_of, proven, verdict_on
from services.trainer.core.length import length_of
from services.trainer.core.paired import chance_of_no_gain, losses_of
from services.trainer.core.search import Attempt, Found, NothingFitsError, search
from shared.messages import Value
from shared.models.base import Model
from shared.models.inputs import inputs_from
from shared.pipeline.specification import Specification

MOST_HELD = 800
"""The gate judges on the newest rows; more of them would be older, and kept from the challenger meanwhile."""


@dataclass(frozen=True, slots=True)
class Trained:
    """What training came to. `model` is fitted on all rows, and None where the gate refused.

    The three showings' metrics are of the same held-out rows; `challenger` was not fitted on them. `rows`: how
    many of the newest the model is fitted on.
    """

    verdict: Verdict
    model: Model | None = None
    best: Attempt | None = None
    found: Found | None = None
    challenger: Mapping[str, float] | None = None
    champion: Mapping[str, float] | None = None
    baseline: Mapping[str, float] | None = None
    rows: int | None = None


def trained(
    specification: Specification,
    rows: Sequence[Row],
    labels: Sequence[Value],
    *,
    champion: Model | None,
    new_to_champion: Sequence[bool],
    clock: Callable[[], float],
    changed: int | None = None,
    proof: float | None = None,
    again: Attempt | None = None,
) -> Trained:
    """Trains on rows in stream order; `new_to_champion[i]` says that row i was not in the champion's training set.

    `changed` of the newest rows come since a change that was noticed. `proof`: what the chance that the
    challenger is no better than the champion must not exceed; None asks for the better figure alone.
    `again`: the learner and its parameters, where none but the defaults of others is to be tried beside it.
    """
    held = held_out_rows(specification, len(rows), changed)
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
        found = _searched(specification, early, clock, again)
    except NothingFitsError as error:
        return _refused(specification, len(rows), f"no candidate could be fitted: {error}")
    best = found.best
    candidate = candidates_for(specification.kind, (best.candidate,))[0]
    since = None if changed is None else max(0, changed - held)
    length = length_of(specification, candidate, best.parameters, early, since)
    early = _with_inputs_of_its_own(specification, early[-length:])
    try:
        challenger = fitted(candidate, best.parameters, early, seed)
    except (ValueError, ArithmeticError) as error:
        return _refused(specification, len(rows), f"{candidate.name} could not be fitted: {error}")
    late, note = _comparable(specification, data[-held:], list(new_to_champion[-held:]), champion)
    result = _judged(specification, challenger, champion, early, late, note, proof)
    kept = data_of(specification, rows[-length - held :], labels[-length - held :])
    model = fitted(candidate, best.parameters, kept, seed) if result.verdict.passed else None
    return replace(result, model=model, best=best, found=found, rows=len(kept))


def _judged(
    specification: Specification,
    challenger: Model,
    champion: Model | None,
    early: Data,
    late: Data,
    note: str,
    proof: float | None,
) -> Trained:
    """What challenger, champion and baseline show on the held-out rows, and the gate's verdict."""
    seed = specification.models.seed
    shown = showing(challenger, early, late, seed)
    theirs = None if champion is None else showing(champion, early, late, seed)
    simple = None
    if late.known_truth is not None and specification.kind != "anomaly":
        simple = baseline(specification.kind, early.truth, late.truth, len(late.classes))
    verdict = verdict_on(
        specification,
        challenger=shown,
        champion=theirs,
        baseline=simple,
        rows=len(late),
        label_kinds=len(np.unique(late.truth)),
        note=note,
    )
    if proof is not None and champion is not None and verdict.passed:
        verdict = proven(verdict, chance_on(challenger, champion, late), proof)
    champions = None if theirs is None else theirs.metrics
    return Trained(verdict, challenger=shown.metrics, champion=champions, baseline=simple)


def held_out_rows(specification: Specification, rows: int, changed: int | None = None) -> int:
    """How many of the newest rows the gate judges on: no more than half of those since a change."""
    held = min(MOST_HELD, round(rows * specification.gate.holdout))
    if changed is not None:
        held = min(held, changed // 2)
    return max(specification.gate.min_rows, held)


def _searched(specification: Specification, data: Data, clock: Callable[[], float], again: Attempt | None) -> Found:
    """The best candidate; with `again` that one, unless the defaults of one that is quick to fit are better."""
    models = specification.models
    candidates = candidates_for(specification.kind, models.candidates)
    known = None
    if again is not None:
        known = next(each for each in candidates if each.name == again.candidate), again.parameters
        candidates = tuple(each for each in candidates if each.library == "sklearn")
    metric = specification.main_metric
    if specification.kind == "anomaly":
        both = data.known_truth is not None and len(np.unique(data.truth)) == 2
        metric = metric_of(specification, {metric: 0.0} if both else {})
    return search(
        candidates,
        data,
        metric=metric,
        fold_count=models.folds,
        seed=models.seed,
        trials=0 if known else models.search.trials,
        seconds=models.search.seconds,
        clock=clock,
        known=known,
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
        return replace(late, rows=rows, truth=late.truth[kept]), ""
    return late, f"the champion was fitted on {len(late) - len(kept)} of these {len(late)} rows, which favours it"


def _with_inputs_of_its_own(specification: Specification, data: Data) -> Data:
    """The same rows, with fillings and categories taken from them alone and not from the held-out ones."""
    return replace(data, inputs=inputs_from(data.rows, specification.feature_names))


def _refused(specification: Specification, rows: int, reason: str) -> Trained:
    return Trained(Verdict(passed=False, metric=specification.main_metric, reasons=(reason,), rows=rows))


def chance_on(challenger: Model, champion: Model, late: Data) -> float:
    """The chance that the challenger is no better than the champion, of what both answer to the same rows."""
    ours, theirs = (outcome_of(each, late.rows, late.kind, late.classes) for each in (challenger, champion))
    return chance_of_no_gain(*(losses_of(late.kind, late.truth, each.predicted) for each in (ours, theirs)))
