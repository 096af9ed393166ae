"""One turn at the desk: the state, the time, what is read, and what is said about it.

All changes of state and all words to the outside go through here, so that nothing changes without
an entry in the ledger that says why and names the records that caused it.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime

import msgspec

from services.remediator.core import ledger
from services.remediator.core.incidents import KEPT_MOMENTS, Incident, IncidentState, Moment, moved
from services.remediator.core.knowledge import Knowledge
from services.remediator.core.limits import SYSTEM, Limits
from shared.messages import AuditEntry, Command, LogPosition
from shared.pipeline.specification import Policy, Rung, Specification

KEPT_CLOSED = 200


class State(msgspec.Struct, kw_only=True):
    """Everything the remediator knows. `commands` maps a command to its incident."""

    knowledge: dict[str, Knowledge] = {}
    incidents: dict[str, Incident] = {}
    commands: dict[str, str] = {}
    sequence: int = 0
    head: str = ledger.GENESIS


@dataclass(slots=True, kw_only=True)
class Turn:
    """`refs` are the log positions of the record now in hand. `said` is in the order it was said."""

    state: State
    limits: Limits
    defaults: tuple[Policy, ...]
    specification: Callable[[str], Specification | None]
    own_policies: Callable[[str], tuple[Policy, ...]]
    now: datetime
    refs: tuple[LogPosition, ...] = ()
    said: list[Command | AuditEntry] = field(default_factory=list)

    def known(self, pipeline: str) -> Knowledge:
        return self.state.knowledge.get(pipeline) or Knowledge(pipeline=pipeline)

    def learn(self, known: Knowledge) -> None:
        self.state.knowledge[known.pipeline] = known

    def row(self, pipeline: str) -> int:
        """Rows seen of the pipeline so far; of all pipelines for the system's own troubles."""
        if pipeline == SYSTEM:
            return sum(known.rows_seen for known in self.state.knowledge.values())
        return self.known(pipeline).rows_seen

    def incident(self, incident_id: str) -> Incident:
        return self.state.incidents[incident_id]

    def of(self, pipeline: str) -> list[Incident]:
        """The pipeline's incidents, the oldest first."""
        return [incident for incident in self.state.incidents.values() if incident.pipeline == pipeline]

    def put(self, incident: Incident) -> None:
        self.state.incidents[incident.id] = incident

    def update(self, incident_id: str, **changes: object) -> Incident:
        """The incident with these fields changed."""
        incident = msgspec.structs.replace(self.incident(incident_id), **changes)
        self.put(incident)
        return incident

    def move(self, incident_id: str, to: IncidentState, why: str, deadline: datetime | None) -> Incident:
        """The incident in its next state."""
        incident = moved(self.incident(incident_id), to, why, self.now, deadline)
        self.put(incident)
        return incident

    def policies(self, pipeline: str) -> tuple[Policy, ...]:
        """The pipeline's own policies, or the defaults where it has none."""
        specification = self.specification(pipeline)
        if specification is None or not specification.policies:
            return self.defaults
        return self.own_policies(pipeline)

    def policy(self, incident: Incident) -> Policy | None:
        """The policy that decides in this incident now."""
        return next((p for p in self.policies(incident.pipeline) if p.name == incident.policy), None)

    def rung(self, incident: Incident, index: int) -> Rung | None:
        policy = self.policy(incident)
        return policy.ladder[index] if policy is not None and 0 <= index < len(policy.ladder) else None

    def issuer(self, incident: Incident) -> str:
        """Who gives the orders: a person, or a policy with its version."""
        if incident.request is not None:
            return f"person:{incident.request.issued_by.removeprefix('person:')}"
        specification = self.specification(incident.pipeline)
        own = specification is not None and bool(specification.policies)
        version = str(self.known(incident.pipeline).specification_version) if own else "default"
        return f"policy:{incident.policy or 'none'}@{version}"

    def say(self, command: Command) -> None:
        self.state.commands[command.id] = command.incident
        self.said.append(command)

    def record(self, kind: str, pipeline: str, summary: str, incident_id: str = "", **body: object) -> AuditEntry:
        """One more link of the ledger, and one more line of the incident's story."""
        incident = self.state.incidents.get(incident_id)
        told: dict[str, object] = dict(body)
        if incident is not None:
            told = {"incident_state": incident.state, **_about(incident), **told}
        entry = ledger.sealed(
            AuditEntry(
                sequence=0,
                at=self.now,
                kind=kind,
                pipeline=pipeline,
                incident=incident_id,
                summary=summary,
                body=told,
                refs=self.refs,
                previous="",
                hash="",
            ),
            ledger.Head(self.state.sequence, self.state.head),
        )
        self.state.sequence, self.state.head = entry.sequence, entry.hash
        self.said.append(entry)
        if incident is not None:
            moment = Moment(at=self.now, kind=kind, summary=summary, sequence=entry.sequence, refs=self.refs)
            first, later = incident.timeline[:1], incident.timeline[1:]
            self.update(incident_id, timeline=(*first, *(*later, moment)[-KEPT_MOMENTS + 1 :]))
        return entry

    def forget(self, pipeline: str) -> None:
        """Drops the oldest closed incidents past `KEPT_CLOSED`, and their commands."""
        closed = [incident for incident in self.of(pipeline) if not incident.open]
        for incident in closed[: max(0, len(closed) - KEPT_CLOSED)]:
            del self.state.incidents[incident.id]
            for action in incident.actions:
                self.state.commands.pop(action.command, None)


def _about(incident: Incident) -> dict[str, object]:
    lead = incident.leading
    diagnosis = incident.diagnosis
    return {
        "diagnosis": diagnosis.name,
        "cause": {"kind": diagnosis.cause, "what": diagnosis.what, "detail": diagnosis.why},
        "policy": incident.policy,
        "severity": lead.severity if lead is not None else "info",
    }
