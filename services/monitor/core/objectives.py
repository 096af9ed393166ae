"""What the specification promises beyond accuracy, judged: labels in time, answers at all and in time, slices alike."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

import numpy as np

from services.monitor.core import budget
from services.monitor.core.alerting import Finding
from services.monitor.core.failures import Failed
from services.monitor.core.fairness import BLOCK, Slice
from services.monitor.core.lateness import SAMPLE, Missing
from services.monitor.core.pace import BLOCK_ROWS, Late
from services.monitor.core.performance import worse_by
from services.monitor.core.regime import UNKNOWN_MEMORY
from services.monitor.core.slices import PREFIX, Slicing
from services.monitor.core.watch import Said, Watch
from shared.messages import Cause, Evidence, Prediction

LABELS = "labels"
_ANSWERS = "answers"
_MOST_FAIL = 0.5


def of_labels(watch: Watch, now: datetime) -> list[Said]:
    """Labels that are due and do not come, and those that have come after all."""
    lateness, row = watch.lateness, watch.record.join.next_row
    missing = lateness.judge(watch.record.join, watch.plan.label_delay, _level(watch))
    if missing is not None:
        return list(watch.alerts.raise_(_of_missing(watch, missing), now, row))
    return list(watch.alerts.resolve("lag", LABELS, now, row, "labels come again"))


def take_waits(watch: Watch, messages: Sequence[Prediction], now: datetime) -> None:
    """How long these answers were on their way, of those whose arrival is known."""
    waits = [(now - m.received_at).total_seconds() for m in messages if m.received_at is not None and m.role != "none"]
    if waits:
        watch.pace.take(np.maximum(0.0, np.array(waits)), now.timestamp())


def of_latency(watch: Watch, now: datetime) -> list[Said]:
    """Answers that take longer than the objective: information at first, a warning once it lasts."""
    pace, row = watch.pace, watch.record.join.next_row
    rate = budget.rate_per_row(watch.plan.per_million, "latency") * BLOCK_ROWS
    if pace.tick(now.timestamp(), watch.plan.objective, rate) == "in time":
        pace.end()
        why = f"99 % of answers take at most {1000 * pace.p99:.0f} ms again"
        return list(watch.alerts.resolve("latency", _ANSWERS, now, row, why))
    if pace.late is None:
        return []
    finding = _of_late(watch, pace.late, rate, lasts=pace.lasts(now.timestamp()))
    return list(watch.alerts.raise_(finding, now, row))


def of_failures(watch: Watch, now: datetime) -> list[Said]:
    """Rows that the live version gives no answer to, and that it answers again. Bad inputs are their own trouble."""
    failures, row = watch.failures, watch.record.join.next_row
    if not failures.full:
        return []
    found = failures.judge(_level(watch))
    if found is None:
        return list(watch.alerts.resolve("errors", _ANSWERS, now, row, "rows are answered again"))
    return [] if watch.harmful_faults else list(watch.alerts.raise_(_of_failed(watch, found), now, row))


def of_slices(watch: Watch, now: datetime) -> list[Said]:
    """Slices that are answered worse than the rest, and those that are no longer."""
    said: list[Said] = []
    fairness, join, row = watch.fairness, watch.record.join, watch.record.join.next_row
    tolerance = watch.plan.limits.tolerance
    regime = watch.loss.regimes.get(watch.loss.live)
    memory = UNKNOWN_MEMORY if regime is None else regime.memory
    rate = budget.rate_per_row(watch.plan.per_million, "fairness") * BLOCK
    while len(fairness.rows) >= BLOCK:
        rows, errors = fairness.next_block()
        known = join.known(rows)
        rows, errors = rows[known], errors[known]
        for slicing in watch.slicings:
            places = slicing.places(join.read(PREFIX + slicing.field, rows))
            fairness.judge(slicing.field, places, rows, errors, tolerance, memory)
        for key in fairness.found(tolerance, rate):
            said += watch.alerts.raise_(_of_slice(watch, key, fairness.slices[key], rate), now, row)
        for key in fairness.mended(tolerance):
            title = _title(watch, key)
            why = f"{title}: answered like the rest over its newest rows"
            said += watch.alerts.resolve("fairness", title, now, row, why)
    return said


def _of_missing(watch: Watch, missing: Missing) -> Finding:
    metric = watch.plan.main_metric
    estimate, error = watch.estimated.get(metric), watch.estimated.get(f"{metric}.stated_error")
    counts = "" if estimate is None else f"; estimated {metric} {estimate:.3f} ± {error or 0.0:.3f} counts meanwhile"
    return Finding(
        kind="lag",
        place=LABELS,
        severity="info",
        summary=f"labels of {missing.due} rows are due and have not come{counts}",
        evidence=Evidence(
            statistic="label_completeness",
            value=missing.value,
            threshold=missing.usual / 2,
            baseline=missing.usual,
            window=watch.record.since(missing.since),
            samples=SAMPLE,
            bound=_level(watch),
            method=f"share of {SAMPLE} rows labelled at {missing.age} rows past due: half the usual, binomial bound",
            change=watch.record.since(missing.since),
        ),
        causes=(Cause(kind="label", what=LABELS, score=1.0, detail="due and not come"),),
        version=watch.loss.live,
    )


def _of_late(watch: Watch, late: Late, rate: float, *, lasts: bool) -> Finding:
    objective = 1000 * watch.plan.objective
    suspects = [Cause(kind="load", what="predictor", score=0.7, detail="no version went live as it began")]
    if late.version:
        suspects[0] = Cause(kind="version", what=late.version, score=0.9, detail="it begins with this version")
    return Finding(
        kind="latency",
        place=_ANSWERS,
        severity="warning" if lasts else "info",
        summary=f"{late.share:.0%} of answers take longer than {objective:.0f} ms (p99 {1000 * late.p99:.0f} ms)",
        evidence=Evidence(
            statistic="latency_p99_ms",
            value=1000 * late.p99,
            threshold=objective,
            window=watch.record.since(max(0, watch.record.join.next_row - late.answers)),
            samples=late.answers,
            bound=rate,
            method=f"e-detector on the share over the objective, evidence {late.evidence:.3g} (bound: per block)",
        ),
        causes=tuple(suspects),
        version=watch.loss.live,
    )


def _of_failed(watch: Watch, failed: Failed) -> Finding:
    return Finding(
        kind="errors",
        place=_ANSWERS,
        severity="critical" if failed.share >= _MOST_FAIL else "warning",
        summary=f"version {failed.version} gave no answer to {failed.share:.0%} of the rows: {failed.reason}",
        evidence=Evidence(
            statistic="unanswered",
            value=failed.share,
            threshold=failed.threshold,
            window=watch.record.since(failed.first_row),
            samples=failed.answers,
            bound=_level(watch),
            method="share of rows without an answer in a block of 50 or more: one in ten, binomial bound",
            change=watch.record.since(failed.first_row),
        ),
        causes=(Cause(kind="version", what=failed.version, score=0.95, detail=failed.reason),),
        version=failed.version,
    )


def _of_slice(watch: Watch, key: str, one: Slice, rate: float) -> Finding:
    slicing, place = _slicing(watch, key)
    title, record = slicing.title(place), watch.record
    rows = record.rows_between(max(one.first, watch.loss.live_row), record.join.next_row)
    rows = record.judged(record.of_version(rows, watch.loss.live))
    inside = slicing.places(record.join.read(PREFIX + slicing.field, rows)) == place
    own, rest = (record.values(rows[inside]), one.rest + one.gap), (record.values(rows[~inside]), one.rest)
    metric, (value, usual) = record.in_one_metric(watch.plan.main_metric, own, rest)
    tolerance = watch.plan.tolerance * (usual if record.regression else 1.0)
    suspects = [Cause(kind="slice", what=title, score=0.9, detail=f"{metric} {value:.3f}, the rest {usual:.3f}")]
    if one.with_version:
        detail = "the slice was answered like the rest before it"
        suspects.insert(0, Cause(kind="version", what=watch.loss.live, score=0.95, detail=detail))
    return Finding(
        kind="fairness",
        place=title,
        severity="warning",
        summary=f"{title}: {metric} {value:.3f}, the rest {usual:.3f}",
        evidence=Evidence(
            statistic=f"{metric}.{title}",
            value=value,
            threshold=worse_by(metric, usual, tolerance),
            window=record.since(one.first),
            samples=int(inside.sum()),
            reference_samples=int((~inside).sum()),
            bound=rate,
            method=f"two-stream e-values, evidence {float(one.wealth.mean()):.3g} (bound: per block of all slices)",
            change=record.since(one.first),
        ),
        causes=tuple(suspects),
        version=watch.loss.live,
    )


def _level(watch: Watch) -> float:
    """Of one look at labels or at answers that do not come: a tenth of what quality may spend in a window."""
    return watch.plan.level("quality") / 10


def _slicing(watch: Watch, key: str) -> tuple[Slicing, int]:
    field, _, place = key.rpartition("|")
    return next(one for one in watch.slicings if one.field == field), int(place)


def _title(watch: Watch, key: str) -> str:
    slicing, place = _slicing(watch, key)
    return slicing.title(place)
