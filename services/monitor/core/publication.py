"""The figures of a pipeline as `Metrics`: performance, estimates, data; windows, revisions, totals."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Literal, TypeVar

import numpy as np

from services.monitor.core.distributions import codes_in
from services.monitor.core.estimate import LEAST_ROWS, Estimated, Estimator, Lesson
from services.monitor.core.slices import PREFIX
from services.monitor.core.state import Ints, no_rows
from services.monitor.core.watch import Said, Watch
from services.monitor.core.watched import DataWindow
from services.monitor.core.windows import Span
from shared.messages import Metrics, Window

_FIT_ROWS = 2000
_MOST_ESTIMATORS = 6
_MOST_ESTIMATES = 100
_REALISED_AT = 0.9
_LEAST_OF_SLICE = 20
_MOST_SLICES = 60

V = TypeVar("V", Lesson, Estimator)


def metrics(
    pipeline: Watch,
    family: Literal["performance", "estimate", "data"],
    window: Window,
    values: dict[str, float],
    now: datetime,
    *,
    by_version: dict[str, dict[str, float]] | None = None,
    by_slice: dict[str, dict[str, float]] | None = None,
    completeness: float = 1.0,
    revision: int = 0,
) -> Metrics:
    """The message, with the pipeline's totals; remembers that they were told."""
    seen = pipeline.inputs.recent.seen
    pipeline.told = (seen, pipeline.record.join.labelled)
    return Metrics(
        pipeline=pipeline.plan.name,
        family=family,
        at=now,
        window=window,
        values=values,
        by_version=by_version or {},
        by_slice=by_slice or {},
        completeness=completeness,
        revision=revision,
        rows_seen=seen,
        labelled_seen=pipeline.record.join.labelled,
        model_version=pipeline.loss.live,
    )


def performance(pipeline: Watch, closed: Sequence[Span], now: datetime) -> list[Said]:
    """The closed windows, what their labels teach the estimators, and the estimates that they make true or false."""
    if not closed:
        return []
    windows = [_performance(pipeline, span, now) for span in closed]
    pipeline.performed = {name: value for name, value in windows[-1].values.items() if name != "rows"}
    _teach(pipeline)
    return [*windows, *_realised(pipeline, now)]


def revisions(pipeline: Watch, now: datetime) -> list[Said]:
    """Published windows that late or corrected labels have changed."""
    return [_performance(pipeline, span, now) for span in pipeline.windows.revised(pipeline.record.join.oldest)]


def totals(pipeline: Watch, now: datetime) -> list[Said]:
    """The totals without a window closing: for whoever waits for a first model, and where the stream rests."""
    totals_now = (pipeline.inputs.recent.seen, pipeline.record.join.labelled)
    flows = now.timestamp() - pipeline.last_row_at < pipeline.plan.patience.hold_seconds
    if totals_now == pipeline.told or (pipeline.loss.live and flows):
        return []
    first, last = pipeline.inputs.starts, max(0, pipeline.inputs.recent.seen - 1)
    pipeline.partial_revision += 1
    window = pipeline.record.window(pipeline.inputs.following, first, max(first, last), rows=max(0, last - first + 1))
    return [metrics(pipeline, "data", window, {}, now, revision=pipeline.partial_revision)]


def data(pipeline: Watch, closed: DataWindow, now: datetime) -> Metrics:
    """A data window's figures, with the counts of what was refused."""
    drifted = {name.removeprefix("psi."): value for name, value in closed.values.items() if name.startswith("psi.")}
    pipeline.drifted = drifted
    values = closed.values | {
        "dead_letters": float(pipeline.refusals.total),
        "unknown_label_ids": float(pipeline.unknown_labels),
        "repeated_ids": float(pipeline.record.join.repeated),
    }
    if not np.isnan(pipeline.pace.p99):
        values |= {"latency_p99_ms": 1000 * pipeline.pace.p99, "latency_over": pipeline.pace.share}
    for field, _ in pipeline.quarantined:
        values[f"quarantined.{field}"] = 1.0
    window = pipeline.record.window(closed.index, closed.first, closed.last, rows=pipeline.inputs.sizes.window)
    revision = pipeline.partial_revision + 1 if pipeline.partial_revision else 0
    pipeline.partial_revision = 0
    return metrics(pipeline, "data", window, values, now, revision=revision)


def estimates(pipeline: Watch, now: datetime) -> list[Said]:
    """Estimated performance of each full window of answers, from what labelled answers have taught."""
    said: list[Said] = []
    while len(pipeline.answered) >= pipeline.plan.window:
        rows, pipeline.answered = np.split(pipeline.answered, [pipeline.plan.window])
        rows = rows[pipeline.record.join.known(rows)]
        values, by_version = _estimated(pipeline, rows)
        if pipeline.plan.kind == "anomaly" and (claims := pipeline.record.claims(rows)) is not None:
            values["anomaly_rate"] = float(claims.mean())
        index = pipeline.estimate_index
        pipeline.estimate_index += 1
        if not values:
            continue
        estimated = Estimated(index, rows, values, by_version)
        pipeline.estimated = values
        pipeline.estimates = [*pipeline.estimates, estimated][-_MOST_ESTIMATES:]
        said.append(_estimate_message(pipeline, estimated, values, now, 0))
    return said


def _performance(pipeline: Watch, span: Span, now: datetime) -> Metrics:
    record = pipeline.record
    answered = record.rows_between(span.first, span.last)
    answered = answered[record.join.read("version", answered) >= 0]
    rows = record.judged(answered)
    codes = record.join.read("version", rows)
    values = _measures(pipeline, rows)
    own = {record.versions.names[code]: rows[codes == code] for code in codes_in(codes)}
    by_version = record.shadow_values(span.first, span.last, own)
    for version, answers in own.items():
        if version not in by_version:
            by_version[version] = values if len(answers) == len(rows) else _measures(pipeline, answers)
    return metrics(
        pipeline,
        "performance",
        record.window(span.index, span.first, span.last),
        values,
        now,
        by_version=by_version,
        by_slice=_by_slice(pipeline, rows),
        completeness=len(rows) / max(1, _expected(pipeline, answered)),
        revision=span.revision,
    )


def _measures(pipeline: Watch, rows: Ints) -> dict[str, float]:
    return pipeline.record.values(rows) | {"rows": float(len(rows))}


def _expected(pipeline: Watch, answered: Ints) -> int:
    """How many of these rows should have their label by now, or have it before its time."""
    due = pipeline.lateness.due(pipeline.record.join, answered, pipeline.plan.label_delay)
    return int((due | ~np.isnan(pipeline.record.join.read("label", answered))).sum())


def _by_slice(pipeline: Watch, rows: Ints) -> dict[str, dict[str, float]]:
    """The measures by slice, where at least 20 of these judged rows lie in it."""
    found: dict[str, dict[str, float]] = {}
    for slicing in pipeline.slicings:
        places = slicing.places(pipeline.record.join.read(PREFIX + slicing.field, rows))
        for place in np.unique(places[places >= 0]).tolist():
            own = rows[places == place]
            if len(own) >= _LEAST_OF_SLICE and len(found) < _MOST_SLICES:
                found[slicing.title(place)] = _measures(pipeline, own)
    return found


def _teach(pipeline: Watch) -> None:
    """Keeps the live version's newest labelled answers for its estimator."""
    record, version = pipeline.record, pipeline.loss.live
    rows = _newest_judged(pipeline, version, _FIT_ROWS)
    if len(rows) < LEAST_ROWS:
        return
    answer, truth = record.join.read("prediction", rows), record.join.read("label", rows)
    if record.regression:
        lesson = Lesson(version, True, answer, truth - answer)
    elif (confidence := record.confidence(rows)) is not None and not np.isnan(confidence).any():
        lesson = Lesson(version, False, confidence, (answer == truth).astype(float))
    else:
        return
    _put_last(pipeline.lessons, version, lesson)


def _estimators(pipeline: Watch) -> dict[str, Estimator]:
    """By version, the one taught last at the end; what they were taught since they were last asked is fitted now."""
    for version, lesson in pipeline.lessons.items():
        if (fitted := lesson.estimator()) is not None:
            _put_last(pipeline.estimators, version, fitted)
    pipeline.lessons = {}
    return pipeline.estimators


def _put_last(by_version: dict[str, V], version: str, value: V) -> None:
    """The newest of a few: the oldest goes where there are too many."""
    by_version.pop(version, None)
    by_version[version] = value
    while len(by_version) > _MOST_ESTIMATORS:
        del by_version[next(iter(by_version))]


def _newest_judged(pipeline: Watch, version: str, count: int) -> Ints:
    """The newest labelled rows that the version answered on sound inputs: `count` of the last 4 * `count` at most."""
    record, until = pipeline.record, pipeline.record.join.next_row
    first, found = max(0, until - 4 * count), no_rows()
    while until > first and len(found) < count:
        begin = max(first, until - count)
        rows = record.judged(record.of_version(record.rows_between(begin, until - 1), version))
        found = np.concatenate([rows[~pipeline.excused(rows)], found])
        until = begin
    return found[-count:]


def _estimated(pipeline: Watch, rows: Ints) -> tuple[dict[str, float], dict[str, dict[str, float]]]:
    """Estimates by version, and over all rows whose version has an estimator."""
    record = pipeline.record
    values: dict[str, float] = {}
    by_version: dict[str, dict[str, float]] = {}
    total = 0
    for version, estimator in _estimators(pipeline).items():
        own = record.of_version(rows, version)
        if not len(own):
            continue
        answer = record.join.read("prediction", own)
        confidence = answer if record.regression else record.confidence(own)
        if confidence is None or np.isnan(confidence).any():
            continue
        found = estimator.values(answer, confidence, record.claims(own))
        found |= {f"{name}.stated_error": error for name, error in estimator.errors.items()}
        by_version[version] = found | {"rows": float(len(own))}
        for name, value in found.items():
            values[name] = values.get(name, 0.0) + value * len(own)
        total += len(own)
    return {name: value / max(1, total) for name, value in values.items()}, by_version


def _realised(pipeline: Watch, now: datetime) -> list[Said]:
    """Estimates whose labels have come: published again beside the truth, with their own error."""
    said: list[Said] = []
    waiting = []
    for estimated in pipeline.estimates:
        rows = estimated.rows[pipeline.record.join.known(estimated.rows)]
        if len(rows) < len(estimated.rows):
            continue
        judged = pipeline.record.judged(rows)
        if len(judged) < _REALISED_AT * len(rows):
            waiting.append(estimated)
            continue
        truth = pipeline.record.values(judged)
        values = dict(estimated.values)
        for name in [n for n in estimated.values if n in truth]:
            values[f"{name}.realised"] = truth[name]
            values[f"{name}.error"] = estimated.values[name] - truth[name]
        completeness = len(judged) / len(rows)
        said.append(_estimate_message(pipeline, estimated, values, now, 1, completeness))
    pipeline.estimates = waiting
    return said


def _estimate_message(
    pipeline: Watch,
    estimated: Estimated,
    values: dict[str, float],
    now: datetime,
    revision: int,
    completeness: float = 0.0,
) -> Metrics:
    first, last = int(estimated.rows[0]), int(estimated.rows[-1])
    window = pipeline.record.window(estimated.index, first, last, rows=len(estimated.rows))
    return metrics(
        pipeline,
        "estimate",
        window,
        values,
        now,
        by_version=estimated.by_version,
        completeness=completeness,
        revision=revision,
    )
