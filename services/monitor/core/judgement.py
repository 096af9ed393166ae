"""What the detectors found, as alerts: opened, held, explained and resolved, one per trouble."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from itertools import product

import numpy as np

from services.monitor.core import causes, explanation, publication
from services.monitor.core.alerting import Finding
from services.monitor.core.answers import LEAST_BEFORE, Switch, extreme, too_many
from services.monitor.core.bounds import WINDOW
from services.monitor.core.distributions import codes_in
from services.monitor.core.level import Stretch as Judged
from services.monitor.core.record import Stretch
from services.monitor.core.refusals import LEAST_ATTEMPTS
from services.monitor.core.state import Floats, Ints
from services.monitor.core.watch import Said, Watch
from services.monitor.core.watched import DataWindow, Fault
from shared.messages import Evidence
from shared.messages.data import FILE_SOURCE, SEVERAL_SOURCES

_QUIET_CHECKS = 2
_QUIET_WINDOWS = 2
_HELD_ROWS = 4 * WINDOW
_EXTREME_SHARE = 0.5
_EXTREME_KS = 0.7
_SWITCH_ROWS = 5000
_SETTLED_LABELS = 200
_NOTHING_LEARNED = (
    "; none of its rows are left to learn from, so the same values are a fault again when they come again"
)


def of_inputs(pipeline: Watch, now: datetime) -> list[Said]:
    """Faults of fields that opened or ended, and the data windows that closed."""
    said = _faults(pipeline, now)
    for closed in pipeline.inputs.take_closed():
        said.append(publication.data(pipeline, closed, now))
        said += _drift(pipeline, closed, now) + _outliers(pipeline, closed, now)
    return said


def accepted(pipeline: Watch, source: str, fields: Sequence[str], now: datetime) -> list[Said]:
    """A person says that these fields of a source are right as they are: their faults end, the values are usual."""
    said: list[Said] = []
    inputs = pipeline.inputs
    columns = [column for column, name in enumerate(inputs.fields.names) if name in fields]
    for code, column in product(_codes_of(pipeline, source), columns):
        taken, name = inputs.accept(code, column), inputs.fields.names[column]
        if taken is None:
            continue
        _end_stretch(pipeline, f"{column}:{code}", inputs.row_at(taken.fault.since))
        if not _columns_at_fault(pipeline, name) and name not in pipeline.refused_quiet:
            why = f"{name}: what {source} sends is right as it is, a person says"
            why += "" if taken.learned else _NOTHING_LEARNED
            said += pipeline.alerts.resolve("data_quality", name, now, pipeline.record.join.next_row, why)
    return said


def _codes_of(pipeline: Watch, source: str) -> list[int]:
    """The numbers under which a source's faults are kept; none for one that nobody has heard of."""
    own = pipeline.record.sources.places.get(source)
    return ([] if own is None else [own]) + ([-1] if source == SEVERAL_SOURCES else [])


def of_refusals(pipeline: Watch, now: datetime) -> list[Said]:
    """Fields (or reasons) whose rows are refused too often."""
    checks = pipeline.refusals.attempts // LEAST_ATTEMPTS
    judged = pipeline.refusals.judge(pipeline.plan.level("quality") / 10)
    if judged is None:
        return []
    said: list[Said] = []
    row = pipeline.record.join.next_row
    for refused in judged:
        place = refused.what if refused.is_field else f"dead letters: {refused.what}"
        pipeline.refused_quiet[place] = 0
        detail = f"{refused.share:.0%} of rows refused"
        evidence = Evidence(
            statistic=f"dead_letters.{refused.what}",
            value=refused.share,
            threshold=refused.threshold,
            window=pipeline.record.since(max(0, row - refused.attempts)),
            samples=refused.attempts,
            method="binomial bound on the share of dead letters",
            bound=pipeline.plan.level("quality"),
        )
        named = refused.failing if refused.is_field else refused.sources
        suspects = causes.of_fault(refused.what, named, detail)
        finding = Finding(
            kind="data_quality",
            place=place,
            severity="warning",
            summary=f"{refused.what}: {detail}, mostly from {refused.sources[0][0]}",
            evidence=evidence,
            causes=suspects if refused.is_field else suspects[1:],
        )
        said += pipeline.alerts.raise_(finding, now, row)
    hit = {refused.what if refused.is_field else f"dead letters: {refused.what}" for refused in judged}
    for place in [name for name in pipeline.refused_quiet if name not in hit]:
        pipeline.refused_quiet[place] += checks
        patience = pipeline.alerts.patience("data_quality", place, _QUIET_CHECKS)
        if pipeline.refused_quiet[place] >= patience:
            del pipeline.refused_quiet[place]
            if not _columns_at_fault(pipeline, place):
                said += pipeline.alerts.resolve("data_quality", place, now, row, f"{place}: rows are accepted again")
    return said


def of_silence(pipeline: Watch, now: datetime) -> list[Said]:
    """Sources that stopped while others go on, and those that came back."""
    said: list[Said] = []
    row = pipeline.record.join.next_row
    silent = {pipeline.record.sources.names[s]: (p, limit) for s, p, limit in pipeline.inputs.silent() if s >= 0}
    silent = {name: since for name, since in silent.items() if not name.startswith(FILE_SOURCE)}
    for name, (place, limit) in silent.items():
        if name not in pipeline.silenced:
            said += pipeline.alerts.raise_(explanation.of_silence(pipeline, name, place, limit), now, row)
    for name in [n for n in pipeline.silenced if n not in silent]:
        said += pipeline.alerts.resolve("data_quality", f"source: {name}", now, row, f"source {name} sends again")
    pipeline.silenced = list(silent)
    return said


def take_errors(pipeline: Watch, rows: Ints) -> None:
    """Leads newly judged rows through the loss tests, but for those whose inputs were at fault."""
    record, loss = pipeline.record, pipeline.loss
    if not len(rows) or not record.ready(rows):
        return
    rows = rows[~pipeline.excused(rows)]
    errors, doubts = record.errors(rows), record.doubts(rows)
    champion, version, withheld = record.join.cells(("champion", "version", "withheld"), rows)
    champion = champion > 0
    limits = pipeline.plan.limits
    by_live = version == record.versions.places.get(loss.live, -2)
    live = champion & by_live & (rows >= loss.reign)
    if pipeline.slicings:
        bare = live & (withheld == 0)
        pipeline.fairness.add(rows[bare], errors[bare])
    left = champion & ~by_live & (withheld == 0)
    loss.take_leaving(rows[left], errors[left])
    judged = Judged(rows, errors, doubts)
    for code in codes_in(withheld[live]):
        loss.take(loss.live, record.withheld.names[code], judged.part(live & (withheld == code)), limits)
    for code in codes_in(version[~champion]):
        own = ~champion & (version == code)
        loss.take_canary(record.versions.names[code], rows[own], errors[own], limits)
    if loss.trouble is not None and not loss.trouble.confirmed and pipeline.held_since == 0.0:
        pipeline.held_since = pipeline.last_row_at


def of_loss(pipeline: Watch, now: datetime) -> list[Said]:
    """Raises a loss that has lasted, once the inputs around its beginning were looked at; ends one that is over."""
    loss = pipeline.loss
    if loss.trouble is None:
        pipeline.held_since = 0.0
        return []
    row = pipeline.record.join.next_row
    if not loss.trouble.confirmed:
        lasting = loss.lasting(pipeline.plan.limits)
        if lasting == "passed":
            loss.dismiss()
        if lasting != "yes" or not _examined(pipeline, now):
            return []
        loss.confirm()
        pipeline.held_since = 0.0
        loss.trouble.labels_of = explanation.source_of_wrong_labels(pipeline, loss.trouble)
        said: list[Said] = list(pipeline.alerts.raise_(explanation.of_loss(pipeline, loss.trouble), now, row))
        former, loss.former = loss.former, None
        own = pipeline.alerts.fingerprint(*explanation.place_of_loss(loss.trouble))
        over = None if former is None else explanation.place_of_loss(former)
        if over is not None and pipeline.alerts.fingerprint(*over) != own:  # else the alert goes on as this trouble's
            why = f"version {loss.trouble.version} has replaced the version it was about, and is in trouble itself"
            said += pipeline.alerts.resolve(*over, now, row, why)
        return said
    if not loss.recovered(pipeline.plan.limits):
        return []
    kind, place = explanation.place_of_loss(loss.trouble)
    why = explanation.of_recovery(pipeline, loss.trouble)
    loss.end()
    return list(pipeline.alerts.resolve(kind, place, now, row, why))


def withdrawn(pipeline: Watch, version: str, now: datetime) -> list[Said]:
    """A canary or shadow left; a loss it was blamed for ends with it."""
    trouble = pipeline.loss.trouble
    if not pipeline.loss.withdraw(version) or trouble is None or not trouble.confirmed:
        return []
    kind, place = explanation.place_of_loss(trouble)
    row = pipeline.record.join.next_row
    return list(pipeline.alerts.resolve(kind, place, now, row, f"version {version} was withdrawn"))


def of_answers(pipeline: Watch, answered: Ints, entities: Sequence[str], rows: Ints, now: datetime) -> list[Said]:
    """A new version that answers differently; and, for anomaly pipelines, the anomalies themselves."""
    said = _anomalies(pipeline, entities, rows, now) if pipeline.plan.kind == "anomaly" else []
    switch = pipeline.switch
    if switch is None:
        return said
    own = pipeline.record.of_version(answered, switch.version)
    own = own[(own >= pipeline.switch_rows) & ~pipeline.excused(own)]
    shift = switch.take(_answers(pipeline, own), pipeline.plan.level("predictions")) if len(own) else None
    row = pipeline.record.join.next_row
    labels = _live_labels(pipeline)
    if shift is not None and pipeline.loss.trouble is None:
        speechless = labels < LEAST_BEFORE // 4
        urgent = extreme(shift) and speechless and (switch.done or not pipeline.gated)
        said += pipeline.alerts.raise_(explanation.of_switch(pipeline, shift, urgent=urgent), now, row)
    if switch.done and (labels >= _SETTLED_LABELS or row - pipeline.switch_rows > _SWITCH_ROWS):
        pipeline.switch = None
        why = f"version {switch.version}: measured performance speaks for itself now"
        said += pipeline.alerts.resolve("prediction_drift", "answers", now, row, why)
    return said


def replaced(pipeline: Watch, now: datetime) -> list[Said]:
    """The live version gives way to another: that it differed from the one before it is over."""
    why = f"version {pipeline.loss.live} answers no more"
    return list(pipeline.alerts.resolve("prediction_drift", "answers", now, pipeline.record.join.next_row, why))


def switch_of(pipeline: Watch, version: str, before: str) -> Switch | None:
    """The comparison of a new version's answers with the newest of the version before."""
    record = pipeline.record
    rows = record.of_version(record.rows_between(record.join.next_row - 2000, record.join.next_row), before)
    rows = rows[~pipeline.excused(rows)]
    categorical = not record.regression and np.isnan(record.join.read("score", rows)).any() if len(rows) else False
    return Switch.of(version, _answers(pipeline, rows)[-1000:], categorical=bool(categorical)) if len(rows) else None


def gate_error(pipeline: Watch, metrics: Mapping[str, float]) -> float | None:
    """The mean error, in the tests' own unit, that a model's gate saw; None where it says nothing sensible.

    For numbers at most: the bounded error of the mean is no less than the mean of the bounded errors (Jensen 1906).
    """
    if pipeline.record.regression:
        mae, scale = metrics.get("mae"), pipeline.record.scale
        return None if mae is None or mae < 0.0 or scale <= 0.0 else mae / (mae + scale)
    accuracy = metrics.get("accuracy")
    return None if accuracy is None or not 0.0 < accuracy <= 1.0 else 1.0 - accuracy


def _faults(pipeline: Watch, now: datetime) -> list[Said]:
    said: list[Said] = []
    inputs, row = pipeline.inputs, pipeline.record.join.next_row
    known = {stretch.fault for stretch in pipeline.stretches if stretch.last < 0}
    for key, fault in list(inputs.faults.items()):
        place = inputs.fields.names[fault.column]
        idle = place in pipeline.plan.idle
        if key not in known and not idle:
            pipeline.remember(_stretch(pipeline, key, fault))
            pipeline.loss.excuse(inputs.row_at(fault.since), pipeline.plan.limits.tolerance)
        over = _ended_file(pipeline, fault.source)
        if over:
            inputs.leave(fault)
        if over or fault.quiet >= pipeline.alerts.patience("data_quality", place, _QUIET_CHECKS):
            _end_stretch(pipeline, key, inputs.row_at(fault.until))
            del inputs.faults[key]
            if not _columns_at_fault(pipeline, place) and place not in pipeline.refused_quiet:
                why = f"no more rows come from {over}" if over else "the field is right again"
                said += pipeline.alerts.resolve("data_quality", place, now, row, f"{place}: {why}")
        elif not idle or place not in pipeline.refused_quiet:  # refused rows are the graver news
            said += pipeline.alerts.raise_(explanation.of_fault(pipeline, fault), now, row)
    fresh = any(f"{fault.column}:{fault.source}" not in known for fault in pipeline.harmful_faults)
    return said + (_point_at_faults(pipeline, now) if fresh else [])


def _ended_file(pipeline: Watch, source: int) -> str:
    """The source's name where it is a file of which no more rows come; else empty."""
    name = pipeline.record.sources.names[source] if source >= 0 else ""
    return name if name.startswith(FILE_SOURCE) and pipeline.inputs.gone(source) else ""


def _point_at_faults(pipeline: Watch, now: datetime) -> list[Said]:
    """A loss already raised that began with a field's fault gets that field as its first cause."""
    loss = pipeline.loss
    if loss.trouble is None or not loss.trouble.confirmed:
        return []
    since = min(pipeline.inputs.row_at(fault.since) for fault in pipeline.harmful_faults)
    if loss.trouble.onset < since - WINDOW:
        return []
    return list(pipeline.alerts.raise_(explanation.of_loss(pipeline, loss.trouble), now, pipeline.record.join.next_row))


def _stretch(pipeline: Watch, key: str, fault: Fault) -> Stretch:
    return Stretch(key, fault.source, pipeline.inputs.row_at(fault.since), -1)


def _end_stretch(pipeline: Watch, key: str, last: int) -> None:
    for stretch in pipeline.stretches:
        if stretch.fault == key and stretch.last < 0:
            stretch.last = last


def _columns_at_fault(pipeline: Watch, place: str) -> bool:
    names = pipeline.inputs.fields.names
    return any(names[fault.column] == place for fault in pipeline.inputs.faults.values())


def _drift(pipeline: Watch, closed: DataWindow, now: datetime) -> list[Said]:
    if not closed.tested:
        return []
    row = pipeline.record.join.next_row
    if closed.moved:
        pipeline.drift_quiet = 0
        tested = sum(reference is not None for reference in pipeline.inputs.references)
        far = [shift for shift in closed.moved if shift.ks >= _EXTREME_KS or shift.psi >= 10 * _EXTREME_KS]
        severe = tested >= 2 and len(far) > _EXTREME_SHARE * tested
        return list(pipeline.alerts.raise_(explanation.of_drift(pipeline, closed, severe=severe), now, row))
    pipeline.drift_quiet += 1
    if pipeline.drift_quiet < pipeline.alerts.patience("data_drift", "inputs", _QUIET_WINDOWS):
        return []
    return list(pipeline.alerts.resolve("data_drift", "inputs", now, row, "the inputs are like the reference again"))


def _outliers(pipeline: Watch, closed: DataWindow, now: datetime) -> list[Said]:
    """More rows far outside everything the reference showed than chance allows: information."""
    if not pipeline.plan.anomalies or pipeline.inputs.bounds is None or pipeline.plan.kind == "anomaly":
        return []
    row = pipeline.record.join.next_row
    limit = too_many(pipeline.inputs.far_rate, pipeline.plan.window, pipeline.plan.level("anomaly"))
    if closed.far_rows < limit:
        told = "what lies far outside is told of as a field at fault"
        why = told if closed.faulty_rows >= limit else "rows are in their usual range again"
        return list(pipeline.alerts.resolve("anomaly", "inputs", now, row, why))
    return list(pipeline.alerts.raise_(explanation.of_outliers(pipeline, closed, limit), now, row))


def _anomalies(pipeline: Watch, entities: Sequence[str], rows: Ints, now: datetime) -> list[Said]:
    said: list[Said] = []
    positive = float(pipeline.record.positive or 0)
    flagged = np.flatnonzero(pipeline.record.join.read("prediction", rows) == positive)
    scores = np.nan_to_num(pipeline.record.join.read("score", rows[flagged]), nan=1.0)
    next_row = pipeline.record.join.next_row
    for place, score in zip(flagged.tolist(), scores.tolist(), strict=True):
        entity = entities[place] if pipeline.plan.keyed else ""
        run = pipeline.run_of(entity)
        if run.take([(int(rows[place]), score)]):
            finding = explanation.of_anomaly(pipeline, entity, int(rows[place]), score)
            said += pipeline.alerts.raise_(finding, now, next_row)
    names = np.array(entities if pipeline.plan.keyed else [""] * len(rows))
    for entity, run in pipeline.runs.items():
        count = run.count
        quiet = int(((names == entity) & (rows > run.last)).sum()) if count else 0
        if run.ended(next_row, quiet):
            why = f"no further anomalous row; {count} in all, highest score {run.highest:.2f}"
            said += pipeline.alerts.resolve("anomaly", f"answers {entity}".strip(), now, next_row, why)
    return said


def _examined(pipeline: Watch, now: datetime) -> bool:
    """Whether the inputs since the loss began have been through the checks, or no more will come."""
    trouble = pipeline.loss.trouble
    if trouble is None:
        return False
    if pipeline.inputs.bounds is None or pipeline.record.join.next_row - trouble.onset > _HELD_ROWS:
        return True
    place = pipeline.inputs.recent.seen - (pipeline.record.join.next_row - trouble.onset)
    if pipeline.inputs.examined >= place + 2 * WINDOW:
        return True
    return now.timestamp() - max(pipeline.last_row_at, pipeline.held_since) > pipeline.plan.patience.hold_seconds


def _answers(pipeline: Watch, rows: Ints) -> Floats:
    """What the model said, as one number per row: its score, else its answer."""
    score = pipeline.record.join.read("score", rows)
    if pipeline.record.regression or np.isnan(score).any():
        return pipeline.record.join.read("prediction", rows)
    return score


def _live_labels(pipeline: Watch) -> int:
    regime = pipeline.loss.regimes.get(pipeline.loss.live)
    return 0 if regime is None else regime.total
