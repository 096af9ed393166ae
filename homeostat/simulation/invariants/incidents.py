"""Incidents: each ends, a person hears of those handed over, and no grave trouble is without one."""

from __future__ import annotations

from collections.abc import Iterator

from homeostat.simulation.ran import Run
from shared.messages import AuditEntry
from shared.topics import ALERTS, AUDIT, COMMANDS

ENDS = ("incident_resolved", "escalated", "incident_expired")
WATCHED_POLICIES = ("quarantine-bad-field", "retrain-on-concept-drift", "roll-back-bad-version", "hold-on-bad-labels")
TURNS = ("incident_opened", "triaged", "command_issued", *ENDS)


def ended(run: Run) -> Iterator[str]:
    for incident, entries in stories(run).items():
        if not any(entry.kind in ENDS for entry in entries):
            yield f"{incident} was opened and has no end: {', '.join(entry.kind for entry in entries)}"


def told(run: Run) -> Iterator[str]:
    notices = {one.incident for one in run.messages(COMMANDS) if one.action == "notify"}
    for incident, entries in stories(run).items():
        handed = [entry for entry in entries if entry.kind in ("escalated", "incident_expired")]
        if handed and incident not in notices:
            yield f"{incident} was {handed[0].kind} and nobody was told"


def never_alone(run: Run) -> Iterator[str]:
    """Of alerts that fire at the end. What was seen to help, or was joined after the end, may take its time to pass."""
    spoken = {incident: _alerts_in(entries) for incident, entries in stories(run).items()}
    for alert in {one.id: one for one in run.messages(ALERTS)}.values():
        if alert.state == "resolved" or alert.severity != "critical":
            continue
        own = [entries for incident, entries in stories(run).items() if alert.fingerprint in spoken[incident]]
        if all(_over(entries) for entries in own):
            yield f"{alert.kind} ({alert.id}) fires, and no incident of the {len(own)} that know of it goes on"


def _alerts_in(entries: list[AuditEntry]) -> set[str]:
    return {str(entry.body["fingerprint"]) for entry in entries if "fingerprint" in entry.body}


def _over(entries: list[AuditEntry]) -> bool:
    """Whether nothing more is expected of the incident."""
    last = last_turn(entries, (*TURNS, "alert_joined"))
    return last is None or (last.kind == "incident_resolved" and last.body.get("ending") not in ("healed", "passed"))


def last_turn(entries: list[AuditEntry], kinds: tuple[str, ...] = TURNS) -> AuditEntry | None:
    """The newest entry that says where the incident stands: a word to a person changes nothing."""
    found = (entry for entry in reversed(entries) if entry.kind in kinds and entry.body.get("role") != "tell")
    return next(found, None)


def asked_first(run: Run) -> Iterator[str]:
    """An approval is for one order; others beside it (more sources to withhold, an undo) need none of their own."""
    for incident, entries in stories(run).items() if run.world.approvals else ():
        approved = False
        for entry in entries:
            approved = entry.kind == "approved" or (approved and entry.kind != "rejected")
            body = entry.body
            issuer = str(body.get("issued_by", "")).removeprefix("policy:").split("@")[0]
            if entry.kind == "command_issued" and body.get("role") == "act" and issuer in WATCHED_POLICIES:
                if approved and not body.get("approved_by"):
                    yield f"{incident}: {body.get('action')} was approved, and the ledger does not say by whom"
                if not approved:
                    yield f"{incident}: {body.get('action')} was ordered by {issuer}, and no person had approved it"
                approved = False


def stories(run: Run) -> dict[str, list[AuditEntry]]:
    """The ledger's entries by incident."""
    found: dict[str, list[AuditEntry]] = {}
    for entry in run.messages(AUDIT):
        if entry.incident:
            found.setdefault(entry.incident, []).append(entry)
    return found
