"""Remediators that forget, or do not ask, and services whose clock never strikes."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import msgspec

from homeostat.simulation.world import knobs
from services.remediator.service import Remediator
from services.remediator.settings import RemediatorSettings
from shared.messages import Alert, AuditEntry, Command, Request
from shared.service import NOTHING, Step
from tests.simulation.mutants.wrapper import Mutant, Services


def deaf(name: str) -> Callable[[Services], Services]:
    """The service's clock never strikes."""

    class Deaf(Mutant):
        def on_tick(self, now: object) -> Step:
            return NOTHING

    return lambda services: {**services, name: lambda task: Deaf(services[name](task))}


def unasked(services: Services) -> Services:
    """A remediator that waits for no approval."""
    return {**services, "remediator": lambda _: Remediator(knobs(approvals=False).remediator)}


def forgets_ends(remediator: Any) -> None:
    incidents = remediator._state.incidents
    for id_, incident in incidents.items():
        actions = tuple(msgspec.structs.replace(action, ends=()) for action in incident.actions)
        incidents[id_] = msgspec.structs.replace(incident, actions=actions)


def in_hindsight(entry: AuditEntry) -> AuditEntry:
    return msgspec.structs.replace(entry, summary="all was well") if entry.kind == "triaged" else entry


def without_results(entry: AuditEntry) -> AuditEntry | None:
    """A ledger that does not know how orders ended."""
    return None if entry.kind == "command_result" else entry


def holds(request: Request) -> bool:
    return request.action == "hold"


def all_verified(entry: AuditEntry) -> AuditEntry:
    doubtful = entry.kind in ("not_verified", "unknown")
    return msgspec.structs.replace(entry, kind="verified") if doubtful else entry


def acts_again(_: str, step: Step) -> Step:
    """A remediator whose ledger has every order of a policy twice."""
    return Step([one for out in step.messages for one in (out, out)[: 1 + _orders(out.message)]], step.jobs)


def _orders(message: Any) -> bool:
    return isinstance(message, AuditEntry) and message.kind == "command_issued" and message.body["role"] == "act"


def without_costs(entry: AuditEntry) -> AuditEntry:
    """A ledger that does not know how much was spent, nor what was said of it."""
    return msgspec.structs.replace(entry, body={**entry.body, "detail": ""}) if "detail" in entry.body else entry


def as_a_policy(command: Command) -> Command:
    return msgspec.structs.replace(command, issued_by="policy:none@default")


def unspoken(command: Command) -> Command | None:
    """Nobody is told anything."""
    return None if command.action == "notify" else command


def of_everything(command: Command) -> Command:
    """A quarantine that names no field, so that it is of all."""
    if command.action != "quarantine_source":
        return command
    return msgspec.structs.replace(command, arguments={**command.arguments, "fields": []})


def to_another(command: Command) -> Command:
    """A release of what was never withheld."""
    if command.action != "release_source":
        return command
    return msgspec.structs.replace(command, arguments={**command.arguments, "source": "plant-9"})


def not_of(kind: str) -> Callable[[Alert], Alert | None]:
    """A monitor that never tells of this."""
    return lambda alert: None if alert.kind == kind else alert


def with_limits(**changes: Any) -> Callable[[Services], Services]:
    """A remediator with other limits than it is given."""
    settings = knobs().remediator
    return _remediators(replace(settings, limits=replace(settings.limits, **changes)))


def with_policies(**changes: Any) -> Callable[[Services], Services]:
    """A remediator whose policies bind less than they say."""
    settings = knobs().remediator
    policies = tuple(policy.model_copy(update=changes) for policy in settings.policies)
    return _remediators(replace(settings, policies=policies))


def _remediators(settings: RemediatorSettings) -> Callable[[Services], Services]:
    return lambda services: {**services, "remediator": lambda _: Remediator(settings)}
