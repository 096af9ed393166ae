"""What the ledger's figures show: that effects were measured, and that policies kept their limits."""

from __future__ import annotations

from bisect import bisect_right
from collections import defaultdict
from collections.abc import Iterator
from datetime import datetime, timedelta

from homeostat.simulation.ran import Run
from homeostat.simulation.world import UPKEEP, knobs
from shared.messages import AuditEntry
from shared.topics import ALERTS, AUDIT, LABELS, MODEL_PUBLISHED

RESOLVED = "alert.resolved"
LEAST_ROWS = 500
UNCOUNTED = 100
"""Labels that are on the topic and in no figure yet."""


def measured(run: Run) -> Iterator[str]:
    """By the figures in the ledger, and by the alerts of the incident where their end was waited for."""
    alerts = [(one.at, one.fingerprint) for one in run.messages(ALERTS) if one.state == "resolved"]
    of_incident: dict[str, set[str]] = defaultdict(set)
    for entry in run.messages(AUDIT):
        of_incident[entry.incident] |= {str(entry.body["fingerprint"])} if "fingerprint" in entry.body else set()
        expects = entry.body.get("expects")
        if entry.kind != "verified" or not isinstance(expects, dict):
            continue
        if expects["metric"] == RESOLVED:
            if not any(fingerprint in of_incident[entry.incident] for _, fingerprint in alerts):
                yield f"entry {entry.sequence} calls {entry.body['action']} verified, and no alert of it has ended"
        elif not _met(entry, expects):
            seen = f"{entry.body.get('measured')} over {entry.body.get('rows')} rows"
            yield f"entry {entry.sequence} calls {entry.body['action']} verified at {seen}, expected was {expects}"


def _met(entry: AuditEntry, expects: dict[str, object]) -> bool:
    value, rows = entry.body.get("measured"), entry.body.get("rows")
    if not isinstance(value, int | float) or not isinstance(rows, int) or rows < int(str(expects["rows"])):
        return False
    bound = float(str(expects["bound"]))
    return value >= bound if expects["direction"] == "up" else value <= bound


def within_limits(run: Run) -> Iterator[str]:
    """By the remediator's own clock: two of the same action of one policy lie a cool-down apart, and all of them
    within its budget. Limits bind what changes something, not an undo or a word to a person.
    """
    policies = {one.name: one for one in knobs().remediator.policies}
    acts: dict[str, list[tuple[datetime, str]]] = defaultdict(list)
    for entry in run.messages(AUDIT):
        name = str(entry.body.get("issued_by", "")).removeprefix("policy:").split("@")[0]
        acting = entry.kind == "command_issued" and entry.body.get("role") == "act"
        if acting and name in policies and entry.body.get("action") != "notify":
            acts[name].append((entry.at, str(entry.body["action"])))
    yield from _of_people(run)
    yield from _too_fresh(run)
    for name, done in acts.items():
        policy, last = policies[name], dict[str, datetime]()
        for index, (at, action) in enumerate(done):
            cooldown, per = policy.cooldown.time, policy.budget.per.time
            if cooldown is not None and action in last and at - last[action] < cooldown:
                yield f"{name} ordered {action} at {last[action]:%X} and again at {at:%X}, within {policy.cooldown}"
            last[action] = at
            lately = [] if per is None else [one for one, _ in done[: index + 1] if at - one < per]
            if len(lately) > policy.budget.actions:
                budget = f"{policy.budget.actions} per {policy.budget.per}"
                yield f"{name} has acted {len(lately)} times by {at:%X}, its budget is {budget}"


def _of_people(run: Run) -> Iterator[str]:
    """What people order within an hour is bounded too; a word to others is none."""
    most = knobs().remediator.limits.person_actions_per_hour
    acts = [
        entry.at
        for entry in run.messages(AUDIT)
        if entry.kind == "command_issued" and entry.body.get("role") == "act" and entry.body.get("action") != "notify"
        if str(entry.body.get("issued_by")).startswith("person:")
    ]
    for index, at in enumerate(acts):
        if sum(at - one < timedelta(hours=1) for one in acts[: index + 1]) > most:
            yield f"people gave more than {most} orders within the hour before {at:%X}"
            return


def _too_fresh(run: Run) -> Iterator[str]:
    """Upkeep waits for labels since the last training, whoever asked for that: by the labels that were there."""
    labels = [record.timestamp_ms for record, _ in run.of(LABELS)]
    first = next((record.timestamp_ms for record, _ in run.of(MODEL_PUBLISHED)), 0)
    trained = bisect_right(labels, first)
    for record, entry in run.of(AUDIT):
        if entry.kind != "command_issued" or entry.body.get("action") != "retrain":
            continue
        there = bisect_right(labels, record.timestamp_ms)
        if f"policy:{UPKEEP}@" in str(entry.body.get("issued_by")) and there - trained < LEAST_ROWS - UNCOUNTED:
            yield f"{UPKEEP} trains again with {there - trained} labels since the last training"
        trained = there
