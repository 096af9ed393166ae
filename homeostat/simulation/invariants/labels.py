"""Labels: each event counts once, with its last label, however late, doubled or corrected that came."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from homeostat.simulation.run import Run
from shared.messages import Metrics, Prediction, Value
from shared.topics import FEATURES, LABELS, METRICS, PREDICTIONS, STEPS, Topic

CLOSE = 1e-9


def counted_once(run: Run) -> Iterator[str]:
    rows = set(_row_order(run))
    labelled = {one.id for one in run.messages(LABELS)} & rows
    said = max((one.labelled_seen for one in run.messages(METRICS)), default=0)
    if said > len(labelled):
        yield f"metrics count {said} labelled rows, {len(labelled)} events have a label"
    whole = max((one.labelled_seen for one in run.messages(METRICS) if one.family == "performance"), default=0)
    missing = len(labelled) - max(said, whole)
    if missing >= run.world.specification.monitor.performance_window:
        yield f"metrics count {said} labelled rows, {len(labelled)} events have a label: {missing} were never counted"


def last_wins(run: Run) -> Iterator[str]:
    if run.world.specification.kind == "anomaly":
        return
    rows = _row_order(run)
    truth = {one.id: one.label for one in run.messages(LABELS)}
    answers = {one.id: one for one in run.messages(PREDICTIONS)}
    newest: dict[int, Metrics] = {}
    for metrics in run.messages(METRICS):
        if metrics.family == "performance" and metrics.revision >= newest.get(metrics.window.index, metrics).revision:
            newest[metrics.window.index] = metrics
    for index, metrics in sorted(newest.items()):
        inside = rows[metrics.window.first_row : metrics.window.last_row + 1]
        found = figure(metrics, inside, answers, truth)
        if found is not None and abs(found[1] - found[2]) > CLOSE:
            yield f"window {index} (revision {metrics.revision}) says {found[0]} {found[1]}, the topics say {found[2]}"


def positions(run: Run) -> Iterator[str]:
    """What a retraining takes as the place of a change is read from there.

    A window may be full of rows of which only the answers were there yet: it names those rows alone that had come.
    """
    rows = _row_order(run)
    places: dict[str, tuple[int, int]] = {}
    for record, row in run.of(FEATURES):
        places.setdefault(row.id, (record.partition, record.offset))
    in_order = not run.plan.shuffled and not any(fault.name == "delay" for fault in run.plan.faults)
    for metrics in (one for one in run.messages(METRICS) if one.family == "performance"):
        offsets: dict[str, list[int]] = {}
        for id_ in rows[metrics.window.first_row : metrics.window.last_row + 1]:
            if id_ in places:
                offsets.setdefault(str(places[id_][0]), []).append(places[id_][1])
        first = {partition: min(found) for partition, found in offsets.items()}
        named = metrics.window.positions
        strange = any(offset not in offsets.get(partition, ()) for partition, offset in named.items())
        if strange or (in_order and named != first):
            yield f"window {metrics.window.index} names {named}, its rows begin at {first}"


def figure(
    metrics: Metrics, ids: list[str], answers: Mapping[str, Prediction], truth: Mapping[str, Value]
) -> tuple[str, float, float] | None:
    """The figure's name, as published and as the topics give it; None where the window judged other rows."""
    found = [(answers[id_].prediction, truth[id_]) for id_ in ids if id_ in truth and id_ in answers]
    judged = [(answer, label) for answer, label in found if answer is not None and label is not None]
    if not judged or len(judged) != metrics.values.get("rows"):
        return None
    if "accuracy" in metrics.values:
        return "accuracy", metrics.values["accuracy"], sum(a == b for a, b in judged) / len(judged)
    errors = [abs(float(a) - float(b)) for a, b in judged]
    return "mae", metrics.values["mae"], sum(errors) / len(errors)


def _row_order(run: Run) -> list[str]:
    """The events in the order in which the monitor first heard of them: its rows."""
    places: dict[tuple[str, int], list[tuple[int, str]]] = {}
    rows: tuple[Topic[Any], ...] = (FEATURES, PREDICTIONS)
    for topic in rows:
        for record, message in run.of(topic):
            places.setdefault((topic.name, record.partition), []).append((record.offset, message.id))
    order: dict[str, None] = {}
    for _, step in run.of(STEPS):
        if step.task == "monitor":
            for topic_name, partition, start, until in step.inputs:
                for offset, id_ in places.get((topic_name, partition), ()):
                    if start <= offset < until:
                        order[id_] = None
    return list(order)
