"""The gate: may this challenger replace the champion? Answered on rows that neither was fitted on.

Reasons are sentences for a person; the first one that fails refuses.
"""

from __future__ import annotations

import math
from collections.abc import Mapping

import msgspec

from shared.figures import figure
from shared.pipeline.specification import Specification

LOWER_IS_BETTER = frozenset({"log_loss", "mae", "rmse", "anomaly_share"})
MAXIMAL_ANOMALY_SHARE = 0.2
"""A model that calls more than this share of ordinary rows anomalous says nothing."""


class Verdict(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """`improvement` over the champion in the metric's unit, positive is better; None without a champion."""

    passed: bool
    metric: str
    reasons: tuple[str, ...]
    rows: int
    improvement: float | None = None

    @property
    def reason(self) -> str:
        return "; ".join(self.reasons)


class Showing(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What a model showed on the holdout. `distinct` counts its different answers, `finite` that all are numbers."""

    metrics: dict[str, float]
    distinct: int
    finite: bool = True


def metric_of(specification: Specification, measured: Mapping[str, float]) -> str:
    """The metric the gate compares: the specification's; for anomalies without labels, `separation`."""
    if specification.kind == "anomaly" and specification.main_metric not in measured:
        return "separation"
    return specification.main_metric


def verdict_on(
    specification: Specification,
    *,
    challenger: Showing,
    champion: Showing | None,
    baseline: Mapping[str, float] | None,
    rows: int,
    label_kinds: int,
    note: str = "",
) -> Verdict:
    """The verdict on `rows` held-out rows; `label_kinds` counts the different labels among them.

    A challenger passes when it can be judged at all, beats the baseline (where asked) and is better
    than the champion by at least `gate.min_improvement`; an exact tie keeps the champion.
    """
    metric = metric_of(specification, challenger.metrics)
    unfit = _unfit(specification, metric, challenger, rows, label_kinds)
    if unfit is not None:
        return Verdict(passed=False, metric=metric, reasons=(unfit,), rows=rows)
    value = challenger.metrics[metric]
    reasons = [note] if note else []
    if specification.gate.must_beat_baseline and baseline is not None and metric in baseline:
        beats = gain(metric, value, baseline[metric]) > 0
        verdict = "beats" if beats else "does not beat"
        ours, theirs = figure(value, baseline[metric]), figure(baseline[metric], value)
        reasons.append(f"{metric} {ours} {verdict} the baseline's {theirs}")
        if not beats:
            return Verdict(passed=False, metric=metric, reasons=tuple(reasons), rows=rows)
    if champion is None:
        reasons.append("there is no champion to compare with")
        return Verdict(passed=True, metric=metric, reasons=tuple(reasons), rows=rows)
    return _against_champion(specification, metric, value, champion, reasons, rows)


def proven(verdict: Verdict, chance: float, proof: float) -> Verdict:
    """A passing verdict, held to a paired test as well: refused where `chance` exceeds `proof`."""
    passed = chance <= proof
    said = f"a paired test gives {figure(chance, proof, digits=2)} for chance alone"
    said += "" if passed else f"; at most {figure(proof, chance, digits=2)} is asked for"
    return msgspec.structs.replace(verdict, passed=passed, reasons=(*verdict.reasons, said))


def gain(metric: str, value: float, against: float) -> float:
    """How much better `value` is, in the metric's unit.

    >>> gain("mae", 2.0, 3.0), gain("accuracy", 0.8, 0.9) < 0
    (1.0, True)
    """
    return against - value if metric in LOWER_IS_BETTER else value - against


def _unfit(specification: Specification, metric: str, challenger: Showing, rows: int, label_kinds: int) -> str | None:
    """Why the challenger cannot be judged, or must not go live whatever it is compared with."""
    if rows < specification.gate.min_rows:
        return f"only {rows} rows to judge on; gate.min_rows asks for {specification.gate.min_rows}"
    if not challenger.finite:
        return "the challenger answers with missing or infinite values"
    if not math.isfinite(challenger.metrics.get(metric, math.nan)):
        known = ", ".join(sorted(challenger.metrics)) or "none"
        return f"{metric} could not be computed for the challenger; computed were: {known}"
    if challenger.distinct < 2 and (label_kinds > 1 or specification.kind == "anomaly"):
        return "the challenger gives the same answer to every row"
    share = challenger.metrics.get("anomaly_share", 0.0)
    if share > MAXIMAL_ANOMALY_SHARE:
        called, most = 100 * share, 100 * MAXIMAL_ANOMALY_SHARE
        said = f"the challenger calls {figure(called, most, digits=2)}% of the newest rows anomalous"
        return f"{said}; at most {figure(most, called, digits=2)}%"
    return None


def _against_champion(
    specification: Specification, metric: str, value: float, champion: Showing, reasons: list[str], rows: int
) -> Verdict:
    theirs = champion.metrics.get(metric, math.nan)
    if not math.isfinite(theirs) or not champion.finite:
        reasons.append(f"the champion's {metric} cannot be computed on these rows, so the challenger stands")
        return Verdict(passed=True, metric=metric, reasons=tuple(reasons), rows=rows)
    improvement = gain(metric, value, theirs)
    wanted = specification.gate.min_improvement
    passed = improvement >= wanted and (improvement > 0 or wanted < 0)
    comparison = f"{metric} {figure(value, theirs)} against the champion's {figure(theirs, value)} on {rows} rows"
    if passed:
        reasons.append(f"{comparison}: better by {figure(improvement)}")
    elif improvement <= 0:
        reasons.append(f"{comparison}: not better")
    else:
        better = (
            f"better by {figure(improvement, wanted)}, but gate.min_improvement asks for {figure(wanted, improvement)}"
        )
        reasons.append(f"{comparison}: {better}")
    return Verdict(passed=passed, metric=metric, reasons=tuple(reasons), rows=rows, improvement=improvement)
