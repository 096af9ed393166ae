"""Quarantine: what is withheld from features, by what each task of ingest had read of orders."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from homeostat.simulation.ran import Run
from shared.messages import Command, Features
from shared.pipeline.specification import Specification
from shared.topics import COMMAND_RESULTS, COMMANDS, FEATURES, RAW_DATA, STEPS

Quarantine = Mapping[str, frozenset[str]]
"""The fields withheld, by source; ``*`` is every source."""
Origin = tuple[int, int]
EVERYONE = "*"
_ACTIONS = ("quarantine_source", "release_source")


def withheld(run: Run) -> Iterator[str]:
    quarantined, direct = _by_origin(run), _direct(run.world.specification)
    for row in run.messages(FEATURES):
        may_be = [_of(found, row.source) for found in quarantined.get(row.origin, ())]
        if frozenset(row.withheld) not in may_be:
            held = " or ".join(str(sorted(each)) for each in may_be)
            yield f"{row.id} of {row.source} lacks {list(row.withheld)}, in quarantine were {held}"
        yield from _wrong_values(row, direct)


def _wrong_values(row: Features, direct: set[str]) -> Iterator[str]:
    """A feature that is a field itself is its value, or nothing where that is withheld."""
    for name in direct & row.values.keys():
        if name in row.withheld and row.values[name] is not None:
            yield f"{row.id}: {name} is withheld, and the features have {row.values[name]}"
        if name not in row.withheld and row.values[name] != row.raw.get(name):
            yield f"{row.id}: {name} came as {row.raw.get(name)}, and the features have {row.values[name]}"


def _by_origin(run: Run) -> dict[Origin, tuple[Quarantine, Quarantine]]:
    """What was withheld before the step that took a raw record, and after it."""
    orders, can_be = _obeyed(run), frozenset(run.world.specification.withholdable)
    known: dict[str, dict[str, frozenset[str]]] = {}
    taken: set[tuple[str, str]] = set()
    found: dict[Origin, tuple[Quarantine, Quarantine]] = {}
    for step in run.messages(STEPS):
        if not step.task.startswith("ingest/"):
            continue
        before = known.get(step.task, {})
        now = known[step.task] = dict(before)
        for topic, partition, start, until in step.inputs:
            for offset in range(start, until) if topic == COMMANDS.name else ():
                order = orders.get(offset)
                if order is not None and (step.task, order.id) not in taken:
                    taken.add((step.task, order.id))
                    _obey(now, order, can_be)
            if topic == RAW_DATA.name:
                found |= dict.fromkeys(((partition, offset) for offset in range(start, until)), (before, now))
    return found


def _obey(now: dict[str, frozenset[str]], order: Command, can_be: frozenset[str]) -> None:
    source, named = str(order.arguments["source"]), order.arguments.get("fields")
    fields = frozenset(map(str, named)) if isinstance(named, list) and named else can_be
    held = now.get(source, frozenset())
    now[source] = held | fields if order.action == "quarantine_source" else held - fields


def _obeyed(run: Run) -> dict[int, Command]:
    """By offset, the quarantines and releases that ingest did not refuse."""
    results = run.messages(COMMAND_RESULTS)
    done = {one.command for one in results if one.service == "ingest" and one.state == "succeeded"}
    return {at.offset: one for at, one in run.of(COMMANDS) if one.action in _ACTIONS and one.id in done}


def _of(found: Quarantine, source: str) -> frozenset[str]:
    return found.get(source, frozenset()) | found.get(EVERYONE, frozenset())


def _direct(specification: Specification) -> set[str]:
    features = specification.features.items()
    return {name for name, one in features if one.expression == name and one.lag is None and one.window is None}
