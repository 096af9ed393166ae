"""What stands between a decision and an act: budget, cool-down, blast radius, approval, dry run.

Limits bind actions that change something. They never bind what makes safe again: an undo, a release
and a message to a person pass at any time.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Literal

from services.remediator.core.knowledge import Knowledge, Spent, elapsed, fields_in
from shared.durations import in_words
from shared.messages.data import SEVERAL_SOURCES
from shared.pipeline.span import Span
from shared.pipeline.specification import Policy, Specification
from shared.topics import SERVICES

PARTS = (*SERVICES, "kafka", "redis", "mlflow")
SYSTEM = "_system"
FLAP_ROWS = 1000


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """Limits that hold whatever a policy says.

    `wait_within`: how long an incident may wait for what does not end by itself. `rows_within`: how long one that
    waits for what passes may see no further row. `stretch_rows` and
    `stretch_time`: how far apart two alerts may begin and still be one trouble. `max_reopens`: how
    often one trouble may come back before a person is called. `quarantine_share`: the largest share
    of a pipeline's fields that may be withheld at once. `tell_after`: how long a healed incident
    must stay quiet before a person hears of it. `upkeep_share`: the largest share of the time that
    trainings without trouble may take.
    """

    wait_within: timedelta = timedelta(hours=24)
    rows_within: timedelta = timedelta(days=30)
    approval_within: timedelta = timedelta(hours=4)
    request_within: timedelta = timedelta(minutes=15)
    escalated_within: timedelta = timedelta(days=7)
    stretch_rows: int = 2000
    stretch_time: timedelta = timedelta(minutes=10)
    max_reopens: int = 3
    quarantine_share: float = 0.5
    max_replicas: int = 4
    person_actions_per_hour: int = 30
    upkeep_share: float = 0.5
    max_open: int = 100
    tell_after: timedelta = timedelta(seconds=60)
    dry_run: bool = False


@dataclass(frozen=True, slots=True)
class Verdict:
    """Whether to go on now (``go``), later (``wait``), or not at all (``refuse``), and why.

    `passes`: what is waited for ends by itself (a cool-down) or at a deadline of its own (another incident's order).
    """

    answer: Literal["go", "wait", "refuse", "suppress", "approve"]
    why: str = ""
    passes: bool = False


GO = Verdict("go")


def flap_rows(policy: Policy | None) -> int:
    """Trouble that fires again within so many rows of its end is the same trouble come back."""
    return max(FLAP_ROWS, 2 * (policy.cooldown.rows or 0)) if policy is not None else FLAP_ROWS


def spending(policy: Policy, action: str, known: Knowledge, now: datetime, row: int) -> Verdict:
    """The policy's own limits: its budget first (no waiting helps), then its cool-down.

    A cool-down lies between two of the same action under the same policy.
    """
    if action == "notify":
        return GO
    spent = [s for s in known.spent if s.policy == policy.name]
    counted = [s for s in spent if not elapsed(policy.budget.per, s.at, s.row, now, row)]
    if len(counted) >= policy.budget.actions:
        return Verdict("refuse", _spent_out(policy, len(counted)))
    last = next((s for s in reversed(spent) if s.action == action), None)
    if last is not None and not elapsed(policy.cooldown, last.at, last.row, now, row):
        return Verdict("wait", _cooling(policy, last), passes=True)
    return GO


def _spent_out(policy: Policy, actions: int) -> str:
    span, allowed = _long(policy.budget.per), policy.budget.actions
    many = f"{actions} actions" if actions != 1 else "1 action"
    return f"the budget is spent: policy {policy.name} took {many} within {span}, and may take {allowed}"


def _cooling(policy: Policy, last: Spent) -> str:
    span = policy.cooldown
    ends = f"row {last.row + (span.rows or 0):,}" if span.time is None else f"{last.at + span.time:%Y-%m-%d %H:%M:%S}"
    return f"cooling down until {ends}, {_long(span)} after the last {last.action}"


def _long(span: Span) -> str:
    return f"{span.rows or 0:,} rows" if span.time is None else in_words(span.time)


def consent(policy: Policy, approved: bool, limits: Limits) -> Verdict:
    """Whether this policy may act by itself."""
    if policy.dry_run or limits.dry_run:
        return Verdict("suppress", f"dry run of policy {policy.name}" if policy.dry_run else "dry run of everything")
    if policy.approval and not approved:
        return Verdict("approve", f"policy {policy.name} asks for approval")
    return GO


def reach(
    action: str, arguments: dict[str, object], known: Knowledge, specification: Specification | None, limits: Limits
) -> Verdict:
    """The blast radius: what one action may touch. An empty target means none, never all."""
    if action in ("quarantine_source", "release_source"):
        return _reach_of_fields(action, arguments, known, specification, limits)
    if action in ("restart_service", "scale_service"):
        return _reach_of_service(action, arguments, limits)
    missing = {
        "promote": ("version", "promote names no version"),
        "shift_traffic": ("version", "shift_traffic names no version"),
        "rollback": ("to_version", "there is no earlier version to go back to"),
        "notify": ("message", "notify has no message"),
    }.get(action)
    brought = action == "promote" and arguments.get("candidate")
    if missing is not None and not arguments.get(missing[0]) and not brought:
        return Verdict("refuse", missing[1])
    weight = arguments.get("weight", 0)
    if action == "shift_traffic" and not (isinstance(weight, int | float) and 0 <= weight <= 1):
        return Verdict("refuse", f"a weight of {weight} is not from 0 to 1")
    return GO


def person_budget(known: Knowledge, now: datetime, limits: Limits, waiting: int = 0) -> Verdict:
    """How much people may order of one pipeline: a script gone wild is stopped like a policy. What is `waiting` for its
    turn counts too.
    """
    recent = [s for s in known.spent if s.policy == "person" and now - s.at < timedelta(hours=1)]
    if len(recent) + waiting >= limits.person_actions_per_hour:
        still = f" and {waiting} wait for their turn" if waiting else ""
        return Verdict("refuse", f"{len(recent)} requests were carried out in the last hour{still}, which is the limit")
    return GO


def _reach_of_fields(
    action: str, arguments: dict[str, object], known: Knowledge, specification: Specification | None, limits: Limits
) -> Verdict:
    fields, source = fields_in(arguments), str(arguments.get("source") or "")
    if not fields or not source:
        return Verdict("refuse", f"{action} names no {'source' if fields else 'field'}: an empty target means none")
    if specification is None:
        return Verdict("refuse", "the pipeline has no specification")
    unknown = [field for field in fields if field not in specification.fields]
    if unknown:
        return Verdict("refuse", f"{specification.name} has no field {', '.join(unknown)}")
    return GO if action == "release_source" else _reach_of_withholding(source, fields, known, specification, limits)


def _reach_of_withholding(
    source: str, fields: list[str], known: Knowledge, specification: Specification, limits: Limits
) -> Verdict:
    if source == SEVERAL_SOURCES:
        return Verdict(
            "refuse", f"{source!r} stands for sources that are not told apart: nothing can be withheld of it"
        )
    withheld = {f for kept in known.quarantined.values() for f in kept} | set(fields)
    not_inputs = {specification.target, specification.id, specification.timestamp, specification.key}
    inputs = [name for name in specification.fields if name not in not_inputs]
    if len(withheld) > max(1, int(limits.quarantine_share * len(inputs))):
        return Verdict("refuse", f"{len(withheld)} of {len(inputs)} fields withheld is more than may be at once")
    return GO


def _reach_of_service(action: str, arguments: dict[str, object], limits: Limits) -> Verdict:
    service = str(arguments.get("service") or "")
    if service not in PARTS:
        return Verdict("refuse", f"there is no service {service!r}: an unknown target means none")
    if action == "scale_service":
        replicas = arguments.get("replicas")
        if not isinstance(replicas, int) or not 1 <= replicas <= limits.max_replicas:
            return Verdict("refuse", f"{replicas} replicas of {service}: from 1 to {limits.max_replicas} are allowed")
    return GO
