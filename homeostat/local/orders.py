"""What a command about services means for the stack. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from shared.messages import Command
from shared.topics import PARTITIONED


@dataclass(frozen=True, slots=True)
class Plan:
    """Parts to restart, instances to add, parts to remove; or why nothing is done."""

    restart: tuple[str, ...] = ()
    add: tuple[int, ...] = ()
    remove: tuple[str, ...] = ()
    refusal: str = ""


def plan_of(command: Command, running: Mapping[str, Sequence[tuple[str, int]]], most: int) -> Plan | None:
    """The plan for a command, or None where it is not about services.

    `running` maps each service to its parts' names and instance numbers; `most` is how many
    partitions there are to share.
    """
    if command.action not in {"restart_service", "scale_service"}:
        return None
    service = str(command.arguments.get("service", ""))
    parts = running.get(service)
    if not parts:
        return Plan(refusal=f"no service {service!r} runs here; there are {', '.join(sorted(running))}")
    if command.action == "restart_service":
        return Plan(restart=tuple(name for name, _ in parts))
    return _scaled(service, parts, command.arguments.get("replicas"), most)


def _scaled(service: str, parts: Sequence[tuple[str, int]], replicas: object, most: int) -> Plan:
    if service not in PARTITIONED:
        return Plan(refusal=f"{service} is one task in all: it cannot be scaled")
    if not isinstance(replicas, int) or isinstance(replicas, bool) or not 1 <= replicas <= most:
        return Plan(refusal=f"replicas={replicas!r}: a whole number from 1 to {most} (the partitions) is needed")
    taken = {instance for _, instance in parts}
    add = tuple(instance for instance in range(replicas) if instance not in taken)
    remove = tuple(name for name, instance in parts if instance >= replicas)
    return Plan(add=add, remove=remove)
