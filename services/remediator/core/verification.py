"""What an action is expected to do, and whether it did: measured, or it does not count.

Four answers, not two (after Argo Rollouts): met, missed, waiting for more rows, and unknown. Unknown
is never success.
"""

from __future__ import annotations

import math
from datetime import datetime
from statistics import median
from typing import Literal, NamedTuple

from services.remediator.core.incidents import Action, start_row
from services.remediator.core.knowledge import Knowledge, Reading, better, direction
from services.remediator.core.wording import figure, metric_in_words, wanted
from shared.messages import Alert, Expectation
from shared.pipeline.specification import Rung, Specification

RESOLVED = "alert.resolved"
CONTAINING = (
    "quarantine_source",
    "hold",
    "restart_service",
    "scale_service",
    "notify",
    "release_source",
    "release_hold",
)
BASELINE_WINDOWS = 4
OWN_ROWS = 250
"""So many of a version's own rows tell what it is worth; where there are fewer, the rows of all do."""


class Loss(NamedTuple):
    """What was lost: the metric before the trouble and at the alert."""

    baseline: float
    level: float


class Measure(NamedTuple):
    """A metric over `rows` rows; `value` None where nothing could be measured."""

    rows: int
    value: float | None


class Judgement(NamedTuple):
    """Whether an expectation is met, and what was seen."""

    answer: Literal["met", "missed", "waiting", "unknown"]
    why: str
    measure: Measure = Measure(0, None)


def metric_for(rung: Rung, alert: Alert | None, specification: Specification | None) -> str:
    """What the rung's effect is read from: its own metric, else that in which the loss shows."""
    if rung.metric is not None:
        return rung.metric
    if rung.action in CONTAINING or specification is None:
        return RESOLVED
    estimated = alert is not None and alert.evidence.statistic.startswith("estimate")
    return f"{'estimate' if estimated else 'performance'}.{specification.main_metric}"


def loss_of(alert: Alert, metric: str, known: Knowledge) -> Loss | None:
    """The loss that `alert` speaks of, in `metric`; None where it cannot be told.

    From the alert's evidence where that is the same metric (or its error rate), else from the
    windows before and since the change.
    """
    name = metric.rsplit(".", 1)[-1]
    evidence = alert.evidence
    statistic = evidence.statistic.rsplit(".", 1)[-1]
    if evidence.baseline is not None and statistic == name:
        loss = Loss(evidence.baseline, evidence.value)
    elif evidence.baseline is not None and name == "accuracy" and statistic in ("error", "error_rate"):
        loss = Loss(1 - evidence.baseline, 1 - evidence.value)
    else:
        measured = _loss_measured(known, metric, start_row(alert))
        if measured is None:
            return None
        loss = measured
    lost = all(math.isfinite(x) for x in loss) and better(metric, loss.baseline, loss.level)
    return loss if lost else None


def before_trouble(loss: Loss, metric: str, known: Knowledge, start_row: int) -> Loss:
    """`loss`, from what was measured before `start_row` where that is better: an alert of a loss in the midst of other
    trouble is held against rows in trouble.
    """
    before = mean_of(known, metric, last_before=start_row)
    return loss if before is None or not better(metric, before, loss.baseline) else Loss(before, loss.level)


def bound_of(loss: Loss, recover: float) -> float:
    """The level at which the share `recover` of the loss is won back, whichever way the metric goes.

    >>> bound_of(Loss(baseline=0.9, level=0.6), recover=0.5)
    0.75
    >>> bound_of(Loss(baseline=10.0, level=30.0), recover=0.5)
    20.0
    """
    return round(loss.level + recover * (loss.baseline - loss.level), 12)


def expectation(metric: str, bound: float, rows: int, by: datetime) -> Expectation:
    """The expectation as a command carries it."""
    return Expectation(metric=metric, direction=direction(metric), bound=bound, rows=rows, by=by)


def keeping(
    metric: str,
    known: Knowledge,
    specification: Specification,
    before_row: int,
    *,
    doubt: bool = False,
    version: str | None = None,
) -> tuple[float, Loss] | None:
    """The bound for "as good as before, within the tolerance", with what it is made of; None if unknown.

    Of `version`, by default the live one. `doubt`: with two standard errors on top of a difference between two windows
    and the baseline's, as windows vary.
    """
    before = [r for r in _readings(known, metric) if r.last_row < before_row]
    usual = _usual(before, version or known.live, metric)[-BASELINE_WINDOWS:]
    baseline = _measure(usual).value
    if baseline is None:
        return None
    slack = specification.monitor.tolerance * (abs(baseline) if direction(metric) == "down" else 1.0)
    slack += 2 * _scatter(before, metric) * math.sqrt(0.5 + 1 / len(usual)) if doubt else 0.0
    bound = baseline - slack if direction(metric) == "up" else baseline + slack
    return bound, Loss(baseline, bound)


def _usual(before: list[Reading], version: str | None, metric: str) -> list[tuple[float, float | None]]:
    """The version's own rows by window, or everybody's where it has too few: what another one lost just before
    is nothing to keep.
    """
    everybody = [pair for r in before if (pair := _row_values(r, None, metric))[1] is not None]
    own = [pair for r in before if version is not None and (pair := _row_values(r, version, metric))[1] is not None]
    return own if _measure(own).rows >= OWN_ROWS else everybody


def _scatter(before: list[Reading], metric: str) -> float:
    """The standard deviation of the newest windows about the median of those that the same version answered, from the
    median of their distances (Rousseeuw and Croux 1993), which a window in trouble among them does not widen.
    """
    answered: dict[str, list[float]] = {}
    for reading in before[-2 * BASELINE_WINDOWS :]:
        by = max(reading.by_version, key=lambda v: (reading.by_version[v].get("rows", 0.0), v), default="")
        value = _row_values(reading, by or None, metric)[1]
        if value is not None:
            answered.setdefault(by or reading.model_version, []).append(value)
    several = [values for values in answered.values() if len(values) > 1]
    away = [abs(value - median(values)) for values in several for value in values]
    return 1.4826 * median(away) * len(away) / (len(away) - 0.8) if len(away) > 2 else 0.0


def mean_of(known: Knowledge, metric: str, last_before: int, windows: int = BASELINE_WINDOWS) -> float | None:
    """The metric over the last `windows` windows that ended before that row, weighted by rows."""
    before = [r for r in _readings(known, metric) if r.last_row < last_before][-windows:]
    return _measure([_row_values(r, None, metric) for r in before]).value


def newest_of(known: Knowledge, metric: str, version: str, since_row: int, rows: int) -> Measure:
    """The metric over the version's own newest rows, of windows that begin with `since_row` or later, `rows` of them
    or a window more; all there are where they are fewer.
    """
    pairs: list[tuple[float, float | None]] = []
    for reading in reversed([r for r in _readings(known, metric) if r.first_row >= since_row]):
        if _measure(pairs).rows < rows:
            pairs.append(_row_values(reading, version, metric))
    return _measure(pairs)


def effect_of(action: Action, known: Knowledge, metric: str) -> Measure:
    """The metric over the rows that the action is judged by: those of the version it made answer.

    A version that answered before is measured in windows that begin after the action only. A rollback has worked
    where all goes well without the version that it left: if a newer one has taken over, its rows count too. What
    shadows would have said never counts.
    """
    readings = _readings_of(action, known, metric)
    versions: list[str | None] = [action.version]
    if action.name == "rollback" and known.stages.get(action.version or "") == "replaced":
        answered = {reign.version for reign in known.reigns if known.stages.get(reign.version) != "shadow"}
        versions = [*sorted(answered - {action.left})]
    return _measure([_row_values(r, version, metric) for r in readings for version in versions])


def back_before(action: Action, known: Knowledge, since_row: int) -> Measure | None:
    """What was measured of the version that `action` left, in the newest window wholly between `since_row`, where the
    trouble began, and the action, where that was as good again already as the action was to make it; else None.
    """
    expects = action.expects
    if expects is None or expects.metric == RESOLVED or action.left is None or action.left == action.version:
        return None
    between = [r for r in _readings(known, expects.metric) if since_row <= r.first_row and r.last_row < action.row]
    measures = [_measure([_row_values(r, action.left, expects.metric)]) for r in between]
    told = [(m, not better(expects.metric, expects.bound, m.value)) for m in measures if m.value is not None]
    return told[-1][0] if told and told[-1][1] and not all(reached for _, reached in told) else None


def left_before(action: Action, known: Knowledge, metric: str) -> float | None:
    """What the version that `action` left measured in the two newest windows before it."""
    before = [r for r in _readings(known, metric) if r.last_row < action.row][-2:]
    return _measure([_row_values(r, action.left, metric) for r in before]).value


def _readings_of(action: Action, known: Knowledge, metric: str) -> list[Reading]:
    """The windows in which the action's effect shows. Where they tell of no version, the first row that counts is
    known from the windows before: the one that begins with it may hold rows from before the action.
    """
    first = action.from_row + (action.version is None)
    return [r for r in _readings(known, metric) if action.fresh or r.first_row >= first]


def _own_share(action: Action, known: Knowledge, metric: str, measure: Measure) -> str:
    """Whose rows these are, where not all were answered by the version that the action made answer."""
    pairs = [_row_values(r, action.version, metric) for r in _readings_of(action, known, metric)]
    own = _measure(pairs).rows
    return (
        ""
        if own == measure.rows
        else f" ({own:,} of them answered by version {action.version}, the rest by newer ones)"
    )


def judgement(action: Action, known: Knowledge, lead_resolved: bool, now: datetime, deadline: datetime) -> Judgement:
    """What is to be said of `action` now. Past `deadline` there is no more waiting."""
    expects = action.expects
    late = now >= deadline
    if expects is None or expects.metric == RESOLVED:
        if lead_resolved:
            return Judgement("met", "the alert has resolved")
        return (
            Judgement("missed", "the alert still fires at its deadline")
            if late
            else Judgement("waiting", "the alert fires")
        )
    measure = effect_of(action, known, expects.metric)
    whose = _own_share(action, known, expects.metric, measure)
    name, rows = metric_in_words(expects.metric), f"{measure.rows:,} rows"
    value = figure(measure.value, expects.bound)
    seen = f"{name} is {value} over {rows}{whose}" if measure.rows else f"no {name} could be measured"
    sought = wanted(expects.direction, expects.bound, measure.value)
    sought += f" over {expects.rows:,} rows" if measure.rows < expects.rows else ""
    reached = measure.value is not None and not better(expects.metric, expects.bound, measure.value)
    if measure.rows >= expects.rows and measure.value is not None:
        return Judgement("met" if reached else "missed", f"{seen}, {sought}", measure)
    if not late:
        return Judgement("waiting", f"{seen}, {sought}", measure)
    if measure.value is None or reached:
        return Judgement("unknown", f"at the deadline {seen}, {sought}", measure)
    return Judgement("missed", f"at the deadline {seen}, {sought}", measure)


def until(rung: Rung, now: datetime) -> datetime:
    """By when the rung's effect must have shown, if it is issued now."""
    return now + rung.deadline + rung.verify_within


def _loss_measured(known: Knowledge, metric: str, since_row: int) -> Loss | None:
    baseline = mean_of(known, metric, last_before=since_row)
    after = [_row_values(r, None, metric) for r in _readings(known, metric) if r.last_row >= since_row]
    level = _measure(after[-BASELINE_WINDOWS:]).value
    return None if baseline is None or level is None else Loss(baseline, level)


def _readings(known: Knowledge, metric: str) -> list[Reading]:
    family = metric.split(".", 1)[0]
    return [r for r in known.readings if r.family == family]


def _row_values(reading: Reading, version: str | None, metric: str) -> tuple[float, float | None]:
    name = metric.split(".", 1)[1]
    if version is None:
        return float(reading.rows), reading.values.get(name)
    values = reading.by_version.get(version)
    if values is not None:
        return values.get("rows", float(reading.rows)), values.get(name)
    alone = reading.model_version == version and not reading.by_version
    return (float(reading.rows), reading.values.get(name)) if alone else (0.0, None)


def _measure(pairs: list[tuple[float, float | None]]) -> Measure:
    known = [(rows, value) for rows, value in pairs if value is not None and math.isfinite(value) and rows > 0]
    rows = sum(rows for rows, _ in known)
    return Measure(int(rows), sum(r * v for r, v in known) / rows) if rows else Measure(0, None)
