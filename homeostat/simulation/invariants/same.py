"""What a run says, held against the same world without faults."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from typing import Any

import msgspec

from homeostat.simulation.faults import FAULTS, Plan
from homeostat.simulation.ran import Run
from shared.topics import ALERTS, COMMANDS, FEATURES, LABELS, METRICS, MODEL_PUBLISHED, PREDICTIONS, Topic

PLACES = ("origin", "partition", "offset", "positions", "features_ranges", "labels_ranges", "excluded_ranges", "refs")
"""Where a record stands depends on how transactions were cut: a marker takes an offset."""
TIMES = ("at", "by", "deadline", "since", "until")
"""What is told on a tick is told on the next one where a kill came between the tick and the records."""
ON_TICKS = ("latency_p99_ms", "latency_over")
"""Figures that are brought up to date on a tick: which window has them first depends on where the tick fell."""
TOTALS = ("rows_seen", "labelled_seen", "revision")
ACTING = ("retrain", "recalibrate", "rollback", "promote", "quarantine_source", "release_source", "hold")


def compared(plan: Plan) -> bool:
    """Whether a run under this plan is held against the same world without faults, in any invariant."""
    return plan.traceless or not _input_disturbed(plan)


def traceless(run: Run) -> Iterator[str]:
    if run.without is None or not run.plan.traceless or _interrupted(run):
        return
    for topic in (FEATURES, PREDICTIONS, METRICS, ALERTS, COMMANDS, MODEL_PUBLISHED):
        yield from _differences(run, run.without, topic)


def features(run: Run) -> Iterator[str]:
    if run.without is None or _input_disturbed(run.plan):
        return
    quarantine = {"quarantine_source"}
    if quarantine & {one.action for each in (run, run.without) for one in each.messages(COMMANDS)}:
        return
    for topic in (FEATURES, LABELS):
        yield from _differences(run, run.without, topic)


def _input_disturbed(plan: Plan) -> bool:
    return any(FAULTS[fault.name].where == "input" for fault in plan.faults)


def _interrupted(run: Run) -> bool:
    """Whether a kill may put off what changes other things.

    A trainer that is killed while it trains begins that training again: its model comes later. An order
    that comes a tick later finds other rows on their way.
    """
    killed = {what.split()[2] for what in run.struck}
    acted = run.without is not None and any(one.action in ACTING for one in run.without.messages(COMMANDS))
    return "trainer" in killed or (acted and bool(killed & {"monitor", "remediator"}))


def _differences(run: Run, without: Run, topic: Topic[Any]) -> Iterator[str]:
    here, there = (Counter(map(_content, _pipelines_own(each.messages(topic)))) for each in (run, without))
    for value in here - there:
        yield f"{topic.name} has, and without faults has not: {value[:300]!r}"
    for value in there - here:
        yield f"{topic.name} lacks what is there without faults: {value[:300]!r}"


def _pipelines_own(messages: list[Any]) -> list[Any]:
    """Without the figures of the services themselves: a restart is meant to show there.

    Of a window's revisions the last counts: they are told on ticks, and one tick may tell what two would have.
    """
    own = [message for message in messages if getattr(message, "family", None) != "service"]
    last = {(one.pipeline, one.window.index): one for one in own if _revises(one)}
    return [one for one in own if not _revises(one) or last[one.pipeline, one.window.index] is one]


def _revises(message: Any) -> bool:
    return getattr(message, "family", None) == "performance" and message.revision > 0


def _content(message: msgspec.Struct) -> bytes:
    content = _lasting(msgspec.to_builtins(message))
    if _revises(message):
        content = {name: value for name, value in content.items() if name not in TOTALS}
    return msgspec.json.encode(content, order="sorted")


def _lasting(value: Any) -> Any:
    if isinstance(value, dict):
        return {name: _lasting(each) for name, each in value.items() if name not in (*PLACES, *TIMES, *ON_TICKS)}
    if isinstance(value, list | tuple):
        return [_lasting(each) for each in value]
    return value
