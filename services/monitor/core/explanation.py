"""The words and figures of an alert: summary, evidence with the beginning of the change, ranked causes."""

from __future__ import annotations

from collections.abc import Sequence

import msgspec
import numpy as np

from services.monitor.core import causes, suspects
from services.monitor.core.alerting import Finding
from services.monitor.core.bounds import WINDOW
from services.monitor.core.drift import Shift
from services.monitor.core.performance import worse, worse_by
from services.monitor.core.state import Ints
from services.monitor.core.trouble import Trouble
from services.monitor.core.watch import Watch
from services.monitor.core.watched import DataWindow, Fault
from shared.messages import AlertKind, Cause, Evidence
from shared.messages.data import SEVERAL_SOURCES

_BASELINE_ROWS = 1000
_LEAST_BASELINE = 50
_LABELS_TO_BLAME = 0.1
_HARMLESS = "; no input of the model is made of it, so nothing is withheld"


def of_fault(pipeline: Watch, fault: Fault) -> Finding:
    """A field that is no longer what it was: information, where no input of the model is made of it."""
    inputs, name = pipeline.inputs, pipeline.inputs.fields.names[fault.column]
    same = [other for other in inputs.faults.values() if other.column == fault.column]
    first = min(same, key=lambda other: (other.since, other.source))
    share = 1.0 / len(same)
    sources = [(_source(pipeline, other.source), share) for other in sorted(same, key=lambda other: other.since)]
    since = inputs.row_at(first.since)
    suspicion, idle = first.suspicion, name in pipeline.plan.idle
    return Finding(
        kind="data_quality",
        place=name,
        severity="info" if idle else "warning",
        summary=f"{name} from {sources[0][0]}: {suspicion.detail}{_HARMLESS if idle else ''}",
        evidence=Evidence(
            statistic=f"{suspicion.check}.{name}",
            value=suspicion.value,
            threshold=suspicion.threshold,
            window=pipeline.record.since(since),
            samples=WINDOW,
            reference_samples=inputs.sizes.reference,
            bound=inputs.sizes.quality_level,
            method=f"bounds learned from the reference, on windows of {WINDOW} rows of one source",
            change=pipeline.record.since(since),
        ),
        causes=causes.of_fault(name, sources, suspicion.detail),
    )


def of_silence(pipeline: Watch, source: str, place: int, limit: float) -> Finding:
    row = pipeline.inputs.row_at(place)
    silent = pipeline.inputs.recent.seen - place
    return Finding(
        kind="data_quality",
        place=f"source: {source}",
        severity="warning",
        summary=f"source {source} has been silent for {silent} rows of the others",
        evidence=Evidence(
            statistic="silent_rows",
            value=float(silent),
            threshold=limit,
            window=pipeline.record.since(row),
            samples=silent,
            method="five times the longest gap before, and unlikely by the source's share",
        ),
        causes=(Cause(kind="source", what=source, score=1.0, detail="sends no more"),),
    )


def of_drift(pipeline: Watch, closed: DataWindow, *, severe: bool) -> Finding:
    """Inputs that have moved: information, unless most of them are somewhere else altogether."""
    names = pipeline.inputs.fields.names
    ranked = causes.of_drift(closed.moved, names, _links(pipeline, [shift.column for shift in closed.moved]))
    strongest = closed.moved[0]
    window = pipeline.record.window(closed.index, closed.first, closed.last, rows=pipeline.plan.window)
    return Finding(
        kind="data_drift",
        place="inputs",
        severity="warning" if severe else "info",
        summary=f"{len(closed.moved)} of {len(names)} fields have moved, most of all {names[strongest.column]}",
        evidence=Evidence(
            statistic=f"psi.{names[strongest.column]}",
            value=strongest.psi,
            threshold=0.1,
            window=window,
            samples=strongest.rows,
            reference_samples=pipeline.inputs.sizes.reference,
            p_value=strongest.p_value,
            bound=pipeline.inputs.sizes.drift_level,
            method="Kolmogorov-Smirnov and chi-square, inflated by the reference's own variation, Bonferroni",
            change=window,
        ),
        causes=ranked,
    )


def of_outliers(pipeline: Watch, closed: DataWindow, limit: int) -> Finding:
    window = pipeline.record.window(closed.index, closed.first, closed.last, rows=pipeline.plan.window)
    rates = {k.partition(".")[2]: v for k, v in closed.values.items() if k.startswith("out_of_range.") and v > 0}
    ranked = sorted(rates.items(), key=lambda item: (-item[1], item[0]))[:5]
    return Finding(
        kind="anomaly",
        place="inputs",
        severity="info",
        summary=f"{closed.far_rows} of {pipeline.plan.window} rows lie far outside the usual ranges",
        evidence=Evidence(
            statistic="far_rows",
            value=float(closed.far_rows),
            threshold=float(limit),
            window=window,
            samples=pipeline.plan.window,
            bound=pipeline.plan.level("anomaly"),
            method="Poisson bound on rows outside the learned ranges",
        ),
        causes=tuple(Cause(kind="feature", what=name, score=min(1.0, rate)) for name, rate in ranked),
    )


def of_anomaly(pipeline: Watch, entity: str, row: int, score: float) -> Finding:
    what = entity or pipeline.plan.name
    return Finding(
        kind="anomaly",
        place=f"answers {entity}".strip(),
        severity="warning",
        summary=f"{what}: an anomalous row, score {score:.2f}",
        evidence=Evidence(
            statistic="score",
            value=score,
            threshold=0.5,
            window=pipeline.record.window(0, row, row),
            samples=1,
            method=f"the model's own verdict; {pipeline.plan.patience.anomaly_hold_off_rows} rows without one end it",
        ),
        causes=(Cause(kind="slice", what=what, score=1.0),),
        version=pipeline.loss.live,
    )


def of_switch(pipeline: Watch, shift: Shift, *, urgent: bool) -> Finding:
    """A new version whose answers differ from the version before, on like inputs."""
    version = pipeline.loss.live
    return Finding(
        kind="prediction_drift",
        place="answers",
        severity="warning" if urgent else "info",
        summary=f"version {version} answers differently from the version before (PSI {shift.psi:.2f})",
        evidence=Evidence(
            statistic="psi.prediction",
            value=shift.psi,
            threshold=0.1,
            window=pipeline.record.since(pipeline.switch_rows),
            samples=shift.rows,
            p_value=shift.p_value,
            bound=pipeline.plan.level("predictions"),
            method="Kolmogorov-Smirnov and chi-square on answers, inflated by the version before's own variation",
        ),
        causes=(Cause(kind="version", what=version, score=1.0),),
        version=version,
    )


def place_of_loss(trouble: Trouble) -> tuple[AlertKind, str]:
    """Kind and place of the alert for a loss: they stay the same while it lasts."""
    if trouble.labels_of:
        return "data_quality", "labels"
    if trouble.release:
        return "performance", f"version {trouble.version}"
    return ("performance", "model") if trouble.slow else ("concept_drift", "model")


def of_loss(pipeline: Watch, trouble: Trouble) -> Finding:
    """The live model has become worse: a release's fault, a source's labels, or the world's."""
    kind, place = place_of_loss(trouble)
    record = pipeline.record
    before = (_before(pipeline, trouble), trouble.baseline)
    since = (record.values(_rows_since(pipeline, trouble)), trouble.level)
    metric, (baseline, value) = record.in_one_metric(pipeline.plan.main_metric, before, since)
    if not worse(metric, value, baseline):  # those rows are not the ones that it was found by
        before, since = ({}, trouble.baseline), ({}, trouble.level)
        metric, (baseline, value) = record.in_one_metric(pipeline.plan.main_metric, before, since)
    tolerance = pipeline.plan.tolerance * (baseline if record.regression else 1.0)
    change = record.since(trouble.onset)
    ranked = _causes_of_loss(pipeline, trouble)
    return Finding(
        kind=kind,
        place=place,
        severity="critical",
        summary=f"{metric} {baseline:.3f} → {value:.3f} since row {trouble.onset}: {_blame(trouble, ranked)}",
        evidence=Evidence(
            statistic=metric,
            value=value,
            threshold=worse_by(metric, baseline, tolerance),
            window=msgspec.structs.replace(change, rows=trouble.samples),
            samples=trouble.samples,
            reference_samples=trouble.reference_samples,
            baseline=baseline,
            bound=1.0 / trouble.limit,
            method=_method(trouble),
            change=change,
        ),
        causes=ranked,
        version=trouble.version,
    )


def of_recovery(pipeline: Watch, trouble: Trouble) -> str:
    """Why a loss is over, in the metric in which it was told where that can be measured."""
    loss = pipeline.loss
    told = pipeline.alerts.firing.get(pipeline.alerts.fingerprint(*place_of_loss(trouble)))
    record = pipeline.record
    rows = record.judged(record.of_version(record.rows_between(loss.live_row, record.join.next_row), loss.live))
    rows = rows[~pipeline.excused(rows)][-len(loss.watch) :]
    over = f"over the last {len(loss.watch)} labelled rows, answered by version {loss.live}"
    lost = None if told is None else told.evidence
    metric = pipeline.plan.main_metric if lost is None else lost.statistic
    value = record.values(rows).get(metric)
    if value is None or lost is None or lost.baseline is None:
        return f"errors are down {over}"
    return (
        f"{metric} is {value:.3f} {over}; it was {lost.baseline:.3f} before the loss, and {lost.value:.3f} at the alert"
    )


def source_of_wrong_labels(pipeline: Watch, trouble: Trouble) -> str:
    """The source of labels that alone disagrees with the model, where the others go on as before; else empty."""
    record, since = pipeline.record, _rows_since(pipeline, trouble)
    if not len(since):
        return ""
    sources, errors = record.join.read("label_source", since), record.errors(since)
    means = {int(c): float(errors[sources == c].mean()) for c in np.unique(sources) if (sources == c).sum() >= 25}
    calm = [mean for mean in means.values() if mean <= trouble.baseline + _LABELS_TO_BLAME]
    worst = max(means, key=lambda code: means[code], default=-1)
    if worst < 0 or not calm or means[worst] <= trouble.baseline + 2 * _LABELS_TO_BLAME:
        return ""
    return _source(pipeline, worst)


def _blame(trouble: Trouble, ranked: Sequence[Cause]) -> str:
    if trouble.labels_of:
        return f"only labels from {trouble.labels_of} disagree"
    if trouble.slow:
        return f"version {trouble.version} no longer reaches its own level"
    if not trouble.release:
        return "the concept has changed"
    first = ranked[0]
    if first.kind != "feature":
        return f"it begins with version {trouble.version}"
    return f"{first.what} moved there; version {trouble.version}, new since then too, is suspect second"


def _method(trouble: Trouble) -> str:
    if trouble.release:
        return f"betting test against the version before, evidence {trouble.evidence:.3g} (bound: its level)"
    if trouble.slow:
        p_value = 1.0 / trouble.evidence
        return f"level of the newest rows against the version's first, batch means, p {p_value:.2g} (bound: its level)"
    return f"e-detector on the error stream, evidence {trouble.evidence:.3g} (bound: false alarms per row)"


def _rows_since(pipeline: Watch, trouble: Trouble) -> Ints:
    record = pipeline.record
    rows = record.rows_between(trouble.onset, record.join.next_row)
    return record.judged(record.of_version(rows, trouble.version))


def _before(pipeline: Watch, trouble: Trouble) -> dict[str, float]:
    """The measures before the trouble: of the version's own first rows; for a release, or where it began before the
    version, of the newest before it.
    """
    record = pipeline.record
    if trouble.release:
        trial = pipeline.loss.releases.get(trouble.version)
        until = trouble.onset if trial is None or trial.until < 0 else min(trial.until, trouble.onset)
        rows = record.judged(record.rows_between(until - 4 * _BASELINE_ROWS, until - 1))
        own = rows[~np.isin(rows, record.of_version(rows, trouble.version))]
    elif trouble.onset < pipeline.loss.live_row:
        own = record.judged(record.rows_between(trouble.onset - _BASELINE_ROWS, trouble.onset - 1))
    else:
        rows = record.judged(record.rows_between(pipeline.loss.live_row, trouble.onset - 1))
        own = record.of_version(rows, trouble.version)
    if len(own):
        own = own[(record.join.read("withheld", own) == 0) & ~pipeline.excused(own)]
    if len(own) < _LEAST_BASELINE:
        return {}
    return record.values(own[-_BASELINE_ROWS:] if trouble.release else own[:_BASELINE_ROWS])


def _causes_of_loss(pipeline: Watch, trouble: Trouble) -> tuple[Cause, ...]:
    ranked = _faulty_fields(pipeline, trouble)
    if trouble.labels_of:
        ranked.append(Cause(kind="source", what=trouble.labels_of, score=0.97, detail="its labels alone disagree"))
        ranked.append(Cause(kind="label", what="labels", score=0.96))
    if trouble.release:
        detail = "the loss begins with this version"
        moved = suspects.moved_with(pipeline, trouble) if suspects.gate_speaks_for(pipeline, trouble) else []
        if moved:
            detail = "the loss begins soon after this version, which had passed its gate"
        ranked += [cause for cause in moved if cause.what not in {known.what for known in ranked}]
        ranked.append(Cause(kind="version", what=trouble.version, score=0.95, detail=detail))
    else:
        detail = "the relation of inputs to target has changed"
        ranked.append(Cause(kind="model", what=trouble.version, score=0.9, detail=detail))
    found = _links(pipeline, range(len(pipeline.inputs.fields.names)))
    links = sorted(found.items(), key=lambda item: (-item[1], item[0]))[:3]
    named = {cause.what for cause in ranked}
    ranked += [
        Cause(kind="feature", what=name, score=round(0.5 * link, 4), detail="goes with the errors")
        for name, link in links
        if name not in named
    ]
    return tuple(ranked)


def _faulty_fields(pipeline: Watch, trouble: Trouble) -> list[Cause]:
    """Fields at fault since about when the loss began."""
    inputs = pipeline.inputs
    names = dict.fromkeys(
        inputs.fields.names[fault.column]
        for fault in pipeline.harmful_faults
        if inputs.row_at(fault.since) <= trouble.row and trouble.onset >= inputs.row_at(fault.since) - WINDOW
    )
    return [Cause(kind="feature", what=name, score=1.0, detail="the field is at fault") for name in names]


def _links(pipeline: Watch, columns: Sequence[int]) -> dict[str, float]:
    """How much errors go with these fields, over the newest rows whose inputs and labels are both known."""
    record, recent = pipeline.record, pipeline.inputs.recent
    places = recent.places(recent.seen - _BASELINE_ROWS, recent.seen)
    slots = places % recent.capacity
    rows = recent.rows[slots]
    known = (rows >= record.join.oldest) & (rows >= 0)
    slots, rows = slots[known], rows[known]
    judged = record.is_judged(rows) if len(rows) else np.zeros(0, bool)
    if judged.sum() < _LEAST_BASELINE or (record.regression and record.scale <= 0):
        return {}
    values = recent.values[slots[judged]][:, list(columns)]
    return causes.links_to_loss(
        values, record.errors(rows[judged]), [pipeline.inputs.fields.names[column] for column in columns]
    )


def _source(pipeline: Watch, code: int) -> str:
    return pipeline.record.sources.names[code] if code >= 0 else SEVERAL_SOURCES
