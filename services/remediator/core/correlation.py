"""Which incident an alert belongs to: one trouble is one incident, however many alerts tell of it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal, NamedTuple

from services.remediator.core.incidents import Diagnosis, Incident, start_row
from services.remediator.core.limits import SYSTEM, Limits
from services.remediator.core.triage import explains
from shared.messages import Alert

ONSET_ROWS = 250
"""How far off the estimates of two onsets may be: about one performance window."""


class Place(NamedTuple):
    """Where an alert goes. ``leads``: it joins and is nearer to the root than what led so far.

    ``lingers``: a consequence of what is over already, which should pass by itself.
    """

    how: Literal["opens", "joins", "leads", "reopens", "lingers", "ignored"]
    incident: str = ""
    why: str = ""


def place_of(
    alert: Alert, diagnosis: Diagnosis, incidents: Sequence[Incident], flap_rows: int, limits: Limits
) -> Place:
    """Where a firing alert goes, among the incidents of its pipeline in the order they were opened.

    `flap_rows`: firing again within so many rows of the end is the same trouble come back.
    """
    for incident in reversed(incidents):
        if alert.fingerprint in incident.alerts:
            known = _again(alert, diagnosis, incident, flap_rows, limits)
            if known is not None:
                return known
    for incident in reversed(incidents):
        if incident.open and (place := _among(alert, diagnosis, incident, limits)) is not None:
            return place
    for incident in reversed(incidents):
        if _lingers(alert, diagnosis, incident, limits):
            return Place("lingers", incident.id, f"a late consequence of {incident.diagnosis.name}")
    still = [incident for incident in incidents if incident.open]
    if len(still) >= limits.max_open:
        return Place("joins", still[0].id, f"{len(still)} incidents are open: no more are opened")
    return Place("opens")


def _again(alert: Alert, diagnosis: Diagnosis, incident: Incident, flap_rows: int, limits: Limits) -> Place | None:
    same = same_firing(alert, incident)
    if incident.open:
        anew = not same and alert.fingerprint != incident.lead
        # Until something was done, other words of the same alert are more evidence.
        other = _another_is_bad(diagnosis, incident) and (not same or bool(incident.actions))
        return None if anew or other else Place("joins", incident.id, "the same trouble")
    if incident.state == "expired":
        return Place("ignored", incident.id, "nobody answered") if same else None
    if same and incident.alerts[alert.fingerprint].severity == "info" != alert.severity:
        return Place("reopens", incident.id, "it was only watched at its end, and is graver again")
    return _come_back(alert, diagnosis, incident, flap_rows, limits)


def _come_back(alert: Alert, diagnosis: Diagnosis, incident: Incident, flap_rows: int, limits: Limits) -> Place | None:
    if _another_is_bad(diagnosis, incident) or (diagnosis.name == "concept_drift" and _other_version(alert, incident)):
        return None
    same = same_firing(alert, incident)
    if alert.fingerprint != incident.lead and not same:
        return None
    fresh_rows = alert.evidence.window.first_row - incident.closed_row
    ended = incident.closed_at or incident.since
    soon = alert.at - ended < limits.stretch_time if alert.pipeline == SYSTEM else fresh_rows <= flap_rows
    if same and incident.alerts[alert.fingerprint].state == "firing" and fresh_rows <= flap_rows:
        return Place("ignored", incident.id, "told before its end")
    return Place("reopens", incident.id, "it fires again soon after its end") if soon else None


def same_firing(alert: Alert, incident: Incident) -> bool:
    """Whether it is what the incident knows under its fingerprint, and has not ended in between."""
    return incident.alerts[alert.fingerprint].id == alert.id


def _other_version(alert: Alert, incident: Incident) -> bool:
    """A model made since has its own concept to lose: that is new trouble, not the old come back."""
    before = incident.alerts[alert.fingerprint].model_version
    return bool(before) and bool(alert.model_version) and before != alert.model_version


def _another_is_bad(diagnosis: Diagnosis, incident: Incident) -> bool:
    """A bad version is told apart by its version, whatever alert tells of it."""
    both = diagnosis.name == incident.diagnosis.name == "bad_version"
    return both and diagnosis.version != incident.diagnosis.version


def _of_another_version(alert: Alert, diagnosis: Diagnosis, incident: Incident) -> bool:
    """What another version loses is no consequence of a bad one."""
    bad = incident.diagnosis.version if incident.diagnosis.name == "bad_version" else ""
    lost = diagnosis.name == "concept_drift" and bool(bad) and alert.model_version not in ("", bad)
    return lost or _another_is_bad(diagnosis, incident)


def _among(alert: Alert, diagnosis: Diagnosis, incident: Incident, limits: Limits) -> Place | None:
    if incident.request is not None:
        return None
    last = incident.last
    of_its_version = diagnosis.name == "bad_version" and last is not None and diagnosis.version == last.version
    of_its_version = of_its_version and not incident.upkeep
    if of_its_version and last is not None and last.role == "act" and incident.state == "verifying":
        return Place("joins", incident.id, f"it speaks of version {diagnosis.version}, made here")
    if _is_consequence(alert, diagnosis, incident, limits) and not (
        incident.state == "escalated" and not _near(alert, incident, limits)
    ):
        return Place("joins", incident.id, f"a consequence of {incident.diagnosis.name}")
    causes = explains(diagnosis, incident.diagnosis) and diagnosis.rank < incident.diagnosis.rank
    if causes and incident.state != "escalated" and _near(alert, incident, limits) and _not_after(alert, incident):
        return Place("leads", incident.id, f"{diagnosis.name} explains {incident.diagnosis.name}")
    return None


def _lingers(alert: Alert, diagnosis: Diagnosis, incident: Incident, limits: Limits) -> bool:
    """Labels come late: what they tell of rows that are past has been dealt with."""
    if incident.state != "resolved" or incident.request is not None or not incident.actions:
        return False
    within = start_row(alert) <= incident.closed_row and diagnosis.rank > incident.diagnosis.rank
    return within and _is_consequence(alert, diagnosis, incident, limits)


def _is_consequence(alert: Alert, diagnosis: Diagnosis, incident: Incident, limits: Limits) -> bool:
    if _of_another_version(alert, diagnosis, incident):
        return False
    return explains(incident.diagnosis, diagnosis) and _follows(alert, incident, limits)


def _follows(alert: Alert, incident: Incident, limits: Limits) -> bool:
    if alert.pipeline == SYSTEM:
        return alert.since >= incident.opened_at - limits.stretch_time
    return start_row(alert) >= incident.start_row - limits.stretch_rows


def _not_after(alert: Alert, incident: Incident) -> bool:
    """A cause does not begin after its effect, but for what the two estimates may be off by."""
    return alert.pipeline == SYSTEM or start_row(alert) <= incident.start_row + ONSET_ROWS


def _near(alert: Alert, incident: Incident, limits: Limits) -> bool:
    if alert.pipeline == SYSTEM:
        return abs(alert.since - incident.opened_at) <= limits.stretch_time
    return abs(start_row(alert) - incident.start_row) <= limits.stretch_rows
