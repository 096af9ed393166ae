"""From a rung of a ladder to an order with all its arguments, or why there can be none."""

from __future__ import annotations

from typing import NamedTuple, cast

from services.remediator.core.incidents import Diagnosis, Incident
from services.remediator.core.knowledge import Knowledge, better
from services.remediator.core.verification import bound_of, loss_of, mean_of, newest_of
from shared.messages import ActionName, Alert
from shared.messages.data import SEVERAL_SOURCES
from shared.pipeline.origins import needed
from shared.pipeline.specification import Rung, Specification

_ROWS_OF_A_FORMER = 100
"""So many labelled rows of a former champion say whether it did as badly as the one that is left."""


class Order(NamedTuple):
    """An action with its arguments. `version` is the one that answers when it has worked."""

    action: ActionName
    arguments: dict[str, object]
    version: str | None = None
    fresh: bool = False


class Impossible(NamedTuple):
    """Why a rung cannot be carried out: it is passed over."""

    why: str


def order_of(  # noqa: PLR0911 - one return per action
    rung: Rung, incident: Incident, known: Knowledge, specification: Specification | None
) -> Order | Impossible:
    """The order that `rung` gives in this incident."""
    alert, diagnosis = incident.leading, incident.diagnosis
    given: dict[str, object] = dict(rung.arguments)
    match rung.action:
        case "retrain":
            return Order("retrain", {**_since(alert), "reason": diagnosis.why, **given}, fresh=True)
        case "rollback":
            return _rollback(incident, known, specification, given)
        case "quarantine_source":
            return _quarantine(diagnosis, alert, specification, given)
        case "restart_service":
            return Order("restart_service", {"service": diagnosis.what, **given})
        case "scale_service":
            now = known.replicas.get(diagnosis.what, 1)
            return Order("scale_service", {"service": diagnosis.what, "replicas": now + 1, **given})
        case "notify":
            message = f"{incident.pipeline}: {alert.summary if alert else diagnosis.why}"
            return Order("notify", {"message": message, "severity": alert.severity if alert else "warning", **given})
        case "promote" | "shift_traffic":
            version = str(given.get("version") or diagnosis.version)
            return Order(cast("ActionName", rung.action), {**given, "version": version}, version=version or None)
        case _:
            return Order(cast("ActionName", rung.action), given)


def _quarantine(
    diagnosis: Diagnosis, alert: Alert | None, specification: Specification | None, given: dict[str, object]
) -> Order | Impossible:
    if not diagnosis.sources and alert is not None and any(cause.what == SEVERAL_SOURCES for cause in alert.causes):
        return Impossible(
            f"{diagnosis.what} is wrong in rows of sources that are not told apart, and cannot be withheld: "
            "mend it, or accept it (`homeostat quarantine release PIPELINE several --field FIELD --accept`)"
        )
    if diagnosis.name == "refused_rows":
        can_be = set() if specification is None else set(specification.withholdable)
        if not diagnosis.fields or not can_be.issuperset(diagnosis.fields):
            return Impossible(f"{diagnosis.what} is no field that can be withheld: see the dead letters")
        if not diagnosis.sources:
            return Impossible(
                f"most rows of the same source pass, and would lose {diagnosis.what}: see the dead letters"
            )
    elif specification is not None and diagnosis.fields and not needed(diagnosis.fields, specification):
        return Impossible(
            f"no input of the model is made of {', '.join(diagnosis.fields)}: withholding protects nothing"
        )
    source = diagnosis.sources[0] if diagnosis.sources else ""
    return Order("quarantine_source", {**quarantine_of(source, diagnosis, alert), **given})


def quarantine_of(source: str, diagnosis: Diagnosis, alert: Alert | None) -> dict[str, object]:
    """The arguments that withhold the diagnosed fields of one source."""
    return {"source": source, "fields": list(diagnosis.fields), **_since(alert)}


def onset(alert: Alert) -> dict[str, int]:
    """Where the trouble of `alert` begins, as offsets of `features` by partition; {} where it does not say."""
    positions = (alert.evidence.change or alert.evidence.window).positions or alert.evidence.window.positions
    return dict(sorted(positions.items()))


def _since(alert: Alert | None) -> dict[str, object]:
    positions = {} if alert is None else onset(alert)
    return {"since": positions} if positions else {}


def _rollback(
    incident: Incident, known: Knowledge, specification: Specification | None, given: dict[str, object]
) -> Order | Impossible:
    diagnosis = incident.diagnosis
    if given.get("to_version"):
        return Order("rollback", given, version=str(given["to_version"]))
    if diagnosis.name == "bad_version":
        return _away_from(incident, known, specification)
    if diagnosis.cause == "version" and diagnosis.version:
        return Order("rollback", {"to_version": diagnosis.version}, version=diagnosis.version)
    best = _best_since(incident, known, specification)
    if best is None:
        return Impossible("no earlier version measured better since the change")
    return Order("rollback", {"to_version": best}, version=best)


def _away_from(incident: Incident, known: Knowledge, specification: Specification | None) -> Order | Impossible:
    diagnosis = incident.diagnosis
    if known.stages.get(diagnosis.version) == "canary":
        return Order("shift_traffic", {"version": diagnosis.version, "weight": 0.0}, version=known.live)
    if diagnosis.version != known.live:
        return Impossible(f"version {diagnosis.version} does not answer (live is {known.live or 'none'})")
    if known.earlier is None:
        return Impossible("there is no earlier version to go back to")
    version = _not_as_bad(incident, known, specification) or known.earlier
    return Order("rollback", {"to_version": version}, version=version)


def _not_as_bad(incident: Incident, known: Knowledge, specification: Specification | None) -> str | None:
    """The newest of the former champions that did not do as badly itself, over its newest rows; None: not known."""
    if specification is None or incident.leading is None:
        return None
    metric = f"performance.{specification.main_metric}"
    loss = loss_of(incident.leading, metric, known)
    if loss is None:
        return None
    bound = bound_of(loss, recover=0.5)
    for version in known.former:
        shown = newest_of(known, metric, version, 0, _ROWS_OF_A_FORMER)
        if shown.value is None or shown.rows < _ROWS_OF_A_FORMER or not better(metric, bound, shown.value):
            return version
    return None


def _best_since(incident: Incident, known: Knowledge, specification: Specification | None) -> str | None:
    """The version that measured best in this incident, where that is not the one that answers."""
    if specification is None:
        return None
    metric = f"performance.{specification.main_metric}"
    measured: dict[str, float] = {}
    for action in incident.actions:
        if action.left is not None and action.level is not None:
            measured.setdefault(action.left, action.level)
        if action.version is not None and action.measured is not None:
            measured[action.version] = action.measured
    now = measured.get(known.live or "", mean_of(known, metric, last_before=known.rows_seen + 1, windows=2))
    if now is None:
        return None
    best: str | None = None
    for version, value in sorted(measured.items()):
        if version == known.live or version in known.condemned:
            continue
        if better(metric, value, now if best is None else measured[best]):
            best = version
    return best
