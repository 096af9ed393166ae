"""Blast radius: what one order may touch, and how much of it at once."""

from __future__ import annotations

from collections.abc import Iterator

from homeostat.simulation.ran import Run
from homeostat.simulation.world import knobs
from shared.messages import Command
from shared.pipeline.specification import Specification
from shared.topics import COMMAND_RESULTS, COMMANDS


def within(run: Run) -> Iterator[str]:
    """Of quarantines: a source and fields that there are, and at no time more than their share of all that come in."""
    specification = run.world.specification
    not_inputs = {specification.target, specification.id, specification.timestamp, specification.key}
    inputs = [name for name in specification.fields if name not in not_inputs]
    most = max(1, int(knobs().remediator.limits.quarantine_share * len(inputs)))
    failed = {one.command for one in run.messages(COMMAND_RESULTS) if one.state in ("failed", "refused", "expired")}
    held: dict[str, set[str]] = {}
    for command in {one.id: one for one in run.messages(COMMANDS)}.values():
        if command.action == "quarantine_source":
            yield from _without_target(command, specification)
        if command.id in failed:
            continue
        source, fields = _named(command)
        if command.action == "quarantine_source":
            held.setdefault(source, set()).update(fields)
        elif command.action == "release_source":
            held.setdefault(source, set()).difference_update(fields)
        withheld = set[str]().union(*held.values())
        if command.action == "quarantine_source" and len(withheld) > most:
            yield f"{command.id} withholds {sorted(withheld)}, more than {most} of {len(inputs)} at once"


def _named(command: Command) -> tuple[str, set[str]]:
    fields = command.arguments.get("fields")
    return str(command.arguments.get("source") or ""), set(map(str, fields)) if isinstance(fields, list) else set()


def _without_target(command: Command, specification: Specification) -> Iterator[str]:
    source, fields = _named(command)
    if not source or not fields or not fields <= set(specification.fields):
        yield f"quarantine {command.id} is of {sorted(fields) or 'no field'} of {source or 'no source'}"
