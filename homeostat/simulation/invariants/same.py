"""What a run says, held against the same world without faults."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from typing import Any

import msgspec

from homeostat.simulation.faults import FAULTS
from homeostat.simulation.run import Run
from shared.topics import ALERTS, COMMANDS, FEATURES, LABELS, METRICS, MODEL_PUBLISHED, PREDICTIONS, Topic

PLACES = ("origin", "partition", "offset", "positions", "features_ranges", "labels_ranges", "excluded_ranges", "refs")
"""Where a record stands depends on how transactions were cut: a marker takes an offset."""


def traceless(run: Run) -> Iterator[str]:
    if run.without is None or not run.plan.traceless or _interrupted(run):
        return
    for topic in (FEATURES, PREDICTIONS, METRICS, ALERTS, COMMANDS, MODEL_PUBLISHED):
        yield from _differences(run, run.without, topic)


def features(run: Run) -> Iterator[str]:
    if run.without is None or any(FAULTS[fault.name].where == "input" for fault in run.plan.faults):
        return
    quarantine = {"quarantine_source"}
    if quarantine & {one.action for each in (run, run.without) for one in each.messages(COMMANDS)}:
        return
    for topic in (FEATURES, LABELS):
        yield from _differences(run, run.without, topic)


def _interrupted(run: Run) -> bool:
    """A trainer that is killed while it trains begins that training again: its model comes later."""
    return any(what.split()[2] in ("trainer",) for what in run.struck)


def _differences(run: Run, without: Run, topic: Topic[Any]) -> Iterator[str]:
    here, there = (Counter(map(_content, _pipelines_own(each.messages(topic)))) for each in (run, without))
    for value in here - there:
        yield f"{topic.name} has, and without faults has not: {value[:300]!r}"
    for value in there - here:
        yield f"{topic.name} lacks what is there without faults: {value[:300]!r}"


def _pipelines_own(messages: list[Any]) -> list[Any]:
    """Without the figures of the services themselves: a restart is meant to show there."""
    return [message for message in messages if getattr(message, "family", None) != "service"]


def _content(message: msgspec.Struct) -> bytes:
    return msgspec.json.encode(_without_places(msgspec.to_builtins(message)), order="sorted")


def _without_places(value: Any) -> Any:
    if isinstance(value, dict):
        return {name: _without_places(each) for name, each in value.items() if name not in PLACES}
    if isinstance(value, list | tuple):
        return [_without_places(each) for each in value]
    return value
