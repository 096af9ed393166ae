"""From an alert and its first cause to a diagnosis: what is wrong decides what is done.

Ranks follow cause and effect: a dead service explains lag, a bad field explains a loss of accuracy,
never the other way round. The nearer the root, the lower the rank.
"""

from __future__ import annotations

from services.remediator.core.incidents import Diagnosis, start_row
from services.remediator.core.knowledge import Knowledge, Reading, better
from shared.messages import Alert, Cause
from shared.messages.data import SEVERAL_SOURCES
from shared.pipeline.origins import fields_of
from shared.pipeline.specification import Specification

RANKS = {
    "service_down": 0,
    "load": 1,
    "bad_field": 2,
    "refused_rows": 2,
    "bad_labels": 2,
    "bad_source": 2,
    "silent_source": 2,
    "bad_version": 3,
    "concept_drift": 4,
    "covariate_shift": 5,
    "unfair": 5,
    "late_labels": 6,
    "unknown": 6,
    "expected_shift": 7,
    "request": 3,
    "upkeep": 8,
}

EXPLAINS: dict[str, frozenset[str]] = {
    "service_down": frozenset({"service_down", "load", "unknown", "silent_source"}),
    "load": frozenset({"load", "unknown"}),
    "bad_field": frozenset({"concept_drift", "covariate_shift", "unfair", "unknown"}),
    "refused_rows": frozenset({"covariate_shift", "unknown"}),
    "bad_labels": frozenset({"concept_drift", "unfair"}),
    "bad_source": frozenset({"concept_drift", "covariate_shift", "unfair", "unknown"}),
    "silent_source": frozenset({"covariate_shift"}),
    "bad_version": frozenset({"concept_drift", "bad_version", "unfair", "unknown"}),
    "concept_drift": frozenset({"concept_drift", "covariate_shift", "unfair", "unknown"}),
    "covariate_shift": frozenset({"covariate_shift"}),
    "unfair": frozenset(),
    "late_labels": frozenset(),
    "unknown": frozenset(),
    "expected_shift": frozenset(),
    "request": frozenset(),
    "upkeep": frozenset(),
}
"""Which diagnoses are consequences of which. Bad fields explain each other only where they overlap.

Rows that were refused never reached the model, so its loss is not their doing."""

OF_BAD_ROWS = ("bad_field", "bad_labels", "bad_source")
"""Diagnoses under which rows teach a model what is wrong."""

_OF_FIELDS = ("bad_field", "refused_rows")

_MEANT_TO_DIFFER = ("retrain", "rollback", "recalibrate")
_MODEL_KINDS = ("performance", "concept_drift")


def diagnosis_of(  # noqa: PLR0911 - one return per diagnosis
    alert: Alert, known: Knowledge, specification: Specification | None
) -> Diagnosis:
    """What `alert` most likely means, given what is known of its pipeline."""
    cause = alert.causes[0] if alert.causes else None
    kind = cause.kind if cause else ""
    if alert.kind == "service_down":
        return _of("service_down", "service", cause, "a service does not answer")
    if alert.kind == "lag" and kind == "label":
        return _of("late_labels", "label", cause, "labels are due and have not come")
    if alert.kind in ("lag", "saturation"):
        return _of("load", kind or "load", cause, "more comes in than is worked off")
    alone = [c.kind for c in alert.causes].count("feature") == 1
    if alert.kind == "data_quality" or (alert.kind == "data_drift" and kind == "feature" and alone):
        return _of_data(alert, cause, specification)
    if kind == "version" and cause is not None:
        return _of_version(alert, cause, known)
    if alert.kind in _MODEL_KINDS:
        return _of_model(alert, cause, known)
    if alert.kind == "fairness":
        return _of("unfair", kind, cause, "a slice of the rows is answered worse than the rest")
    if alert.evidence.statistic.endswith(".incomplete_state"):
        return _of("unknown", kind, cause, "what it knew before is lost in part; no restart brings it back")
    if alert.kind in ("latency", "errors") and kind in ("load", "service"):
        return _of("load", kind, cause, f"{alert.kind} under load")
    if alert.kind == "data_drift":
        return _of("covariate_shift", "", cause, "the inputs moved together")
    return _of("unknown", kind, cause, f"no rule knows {alert.kind} with cause {kind or 'none'}")


def explains(cause: Diagnosis, effect: Diagnosis) -> bool:
    """Whether trouble of the first kind brings about the second."""
    if cause.name in _OF_FIELDS and effect.name in _OF_FIELDS:
        return bool(set(cause.fields) & set(effect.fields))
    if cause.name == effect.name == "service_down":
        return cause.what == effect.what
    return effect.name in EXPLAINS[cause.name] or (cause.name == effect.name and cause.what == effect.what)


def better_version(known: Knowledge, metric: str, since_row: int, margin: float) -> str | None:
    """A version other than the live one that measured better by `margin` since `since_row`, or None.

    Shadows and canaries are measured beside the champion: what they show on the same rows is known,
    what an earlier version showed on earlier rows is not.
    """
    family, _, name = metric.rpartition(".")
    readings = [r for r in known.readings if r.family == (family or "performance") and r.first_row >= since_row]
    versions = sorted({version for reading in readings for version in reading.by_version})
    values = {v: _mean([r for r in readings if v in r.by_version], v, name) for v in versions}
    live = values.get(known.live or "")
    if live is None:
        return None
    best: tuple[float, str] | None = None
    for version, value in values.items():
        if value is None or version == known.live or version in known.condemned:
            continue
        beats = better(metric, value, live) and abs(value - live) > margin
        if beats and (best is None or better(metric, value, best[0])):
            best = (value, version)
    return best[1] if best else None


def _of(name: str, kind: str, cause: Cause | None, why: str) -> Diagnosis:
    what = cause.what if cause else ""
    return Diagnosis(name=name, cause=kind, what=what, rank=RANKS[name], why=why)


def _of_data(alert: Alert, cause: Cause | None, specification: Specification | None) -> Diagnosis:
    about_labels = alert.evidence.statistic.startswith("label")
    if cause is None:
        return _of("unknown", "", None, "bad data, and nothing says where")
    if cause.kind == "label" or about_labels:
        return _of("bad_labels", "label", cause, "labels are not what they were")
    if cause.kind == "source":
        silent = alert.evidence.statistic.startswith("silent")
        return _of("silent_source" if silent else "bad_source", "source", cause, cause.detail or "a source misbehaves")
    if cause.kind != "feature":
        return _of("unknown", cause.kind, cause, "bad data without a field")
    name = "refused_rows" if alert.evidence.statistic.startswith("dead_letters") else "bad_field"
    return Diagnosis(
        name=name,
        cause="feature",
        what=cause.what,
        rank=RANKS[name],
        fields=() if specification is None else fields_of(cause.what, specification),
        sources=tuple(c.what for c in alert.causes if c.kind == "source" and c.what != SEVERAL_SOURCES),
        why=cause.detail or "a field is not what it was",
    )


def _of_version(alert: Alert, cause: Cause, known: Knowledge) -> Diagnosis:
    reign = next((r for r in reversed(known.reigns) if r.version == cause.what), None)
    if alert.kind == "prediction_drift" and reign is not None and reign.action in _MEANT_TO_DIFFER:
        return _of("expected_shift", "version", cause, f"a {reign.action} was meant to change the answers")
    bad = Diagnosis(
        name="bad_version",
        cause="version",
        what=cause.what,
        rank=RANKS["bad_version"],
        version=cause.what,
        why=cause.detail or f"{alert.kind} came with version {cause.what}",
    )
    if alert.kind in _MODEL_KINDS and cause.what == known.live and known.earlier is None:
        return _of("concept_drift", "model", cause, "the only version there is no longer fits")
    return bad


def _of_model(alert: Alert, cause: Cause | None, known: Knowledge) -> Diagnosis:
    metric = alert.evidence.statistic if alert.kind == "performance" else ""
    fits = better_version(known, metric, start_row(alert), margin=0.0) if metric else None
    if fits is not None:
        return Diagnosis(
            name="concept_drift",
            cause="version",
            what=fits,
            rank=RANKS["concept_drift"],
            version=fits,
            why=f"version {fits} answers the same rows better",
        )
    what = cause.what if cause else ""
    kind = cause.kind if cause else "model"
    return Diagnosis(
        name="concept_drift",
        cause=kind,
        what=what,
        rank=RANKS["concept_drift"],
        why=(cause.detail if cause else "") or "the rule from features to answer changed",
    )


def _mean(readings: list[Reading], version: str, name: str) -> float | None:
    pairs = [(r.by_version[version].get("rows", 0.0), r.by_version[version].get(name)) for r in readings]
    known = [(rows, value) for rows, value in pairs if value is not None and rows > 0]
    total = sum(rows for rows, _ in known)
    return sum(rows * value for rows, value in known) / total if total else None
