"""What is left at the end: nothing in force for a trouble that is over, and nothing untold."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

from homeostat.simulation.invariants.incidents import last_turn, stories
from homeostat.simulation.invariants.orders import disturbed
from homeostat.simulation.ran import Run
from shared.messages import AuditEntry, Command
from shared.topics import COMMAND_RESULTS, COMMANDS, JOB_RESULTS, MODEL_PUBLISHED

ENDED_BY = {"quarantine_source": "release_source", "hold": "release_hold"}
TOLD_WITHIN = timedelta(seconds=15)
REGISTERED_WITHIN = 60.0
"""Seconds until MLflow must have heard of a version, though some jobs failed meanwhile."""


def given_back(run: Run) -> Iterator[str]:
    """Of what policies put in force in incidents that are resolved."""
    done = {one.command for one in run.messages(COMMAND_RESULTS) if one.state == "succeeded"}
    orders = run.given(COMMANDS)
    for incident, entries in stories(run).items():
        if not _resolved(entries) or _asked_for(entries):
            continue
        for number, order in enumerate(orders):
            lasts = order.incident == incident and order.id in done and order.action in ENDED_BY
            if lasts and not any(_ends(later, order) for later in orders[number + 1 :]):
                yield f"{incident} is resolved, and the {order.action} of it ({order.id}) is still in force"


def _ends(later: Command, order: Command) -> bool:
    if later.action != ENDED_BY[order.action]:
        return False
    if order.action == "hold":
        return True
    fields, named = later.arguments.get("fields"), order.arguments.get("fields")
    same = later.arguments.get("source") == order.arguments.get("source")
    return same and isinstance(fields, list) and isinstance(named, list) and set(named) <= set(fields)


def good_news(run: Run) -> Iterator[str]:
    """Of incidents in which something was done, over since long enough, where nobody's clock was disturbed."""
    told = {one.incident for one in run.messages(COMMANDS) if one.action == "notify"}
    last = datetime.fromtimestamp(run.settled_ms / 1000, UTC)
    for incident, entries in stories(run).items() if not disturbed(run) else ():
        acts = [one for one in entries if one.kind == "command_issued" and one.body.get("role") == "act"]
        over = last - entries[-1].at > TOLD_WITHIN
        upkeep = entries[0].summary.startswith("upkeep")
        if acts and over and _resolved(entries) and not upkeep and not _asked_for(entries) and incident not in told:
            yield f"{incident} healed itself, and nobody heard of it"


def registered(run: Run) -> Iterator[str]:
    """By the jobs that tell MLflow of versions."""
    if disturbed(run) or any(fault.name == "slow-job" for fault in run.plan.faults):
        return
    done = {end.job for end in run.messages(JOB_RESULTS) if end.name == "register" and end.error is None}
    known = {str(one.job.arguments.get("version")) for one in run.begun if one.job.id in done}
    for record, release in run.of(MODEL_PUBLISHED):
        early = run.settled_ms - record.timestamp_ms > 1000 * REGISTERED_WITHIN
        if early and release.version not in known:
            yield f"MLflow has not heard of version {release.version}"


def _resolved(entries: list[AuditEntry]) -> bool:
    last = last_turn(entries)
    return last is not None and last.kind == "incident_resolved"


def _asked_for(entries: list[AuditEntry]) -> bool:
    return "request" in entries[0].body
