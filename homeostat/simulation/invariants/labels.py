"""Labels: each event counts once, with its last label, however late, doubled or corrected that came."""

from __future__ import annotations

from collections.abc import Container, Iterator, Mapping
from datetime import UTC, datetime
from math import inf
from typing import Any

from homeostat.simulation.ran import Run
from shared.messages import Features, Metrics, Prediction, Value
from shared.topics import FEATURES, LABELS, METRICS, MODEL_PUBLISHED, PREDICTIONS, STEPS, Topic

CLOSE = 1e-9
Pair = tuple[Value, Value]
"""What was answered, and what is true."""


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
    retired = _retired(run)
    newest: dict[int, Metrics] = {}
    for metrics in run.messages(METRICS):
        if metrics.family == "performance" and metrics.revision >= newest.get(metrics.window.index, metrics).revision:
            newest[metrics.window.index] = metrics
    events = {one.id: one for one in run.messages(FEATURES)}
    for index, metrics in sorted(newest.items()):
        inside = rows[metrics.window.first_row : metrics.window.last_row + 1]
        judged = _judged(inside, answers, truth)
        if not judged or len(judged) != metrics.values.get("rows"):
            continue
        gone = {version for version, at in retired.items() if at <= metrics.at}
        for which, said, pairs in _parts(metrics, judged, answers, events, truth, gone):
            for name, value in _figures("accuracy" in metrics.values, pairs).items():
                if abs(said.get(name, inf) - value) > CLOSE:
                    where = f"window {index} (revision {metrics.revision}{which})"
                    yield f"{where} says {name} {said.get(name)}, the topics say {value}"


def _retired(run: Run) -> dict[str, datetime]:
    """When the monitor may first have read that a version's trial had ended."""
    found: dict[str, datetime] = {}
    for record, release in run.of(MODEL_PUBLISHED):
        if release.stage == "retired":
            found.setdefault(release.version, datetime.fromtimestamp(record.timestamp_ms / 1000, UTC))
    return found


def _parts(
    metrics: Metrics,
    judged: Mapping[str, Pair],
    answers: Mapping[str, Prediction],
    events: Mapping[str, Features],
    truth: Mapping[str, Value],
    gone: Container[str],
) -> Iterator[tuple[str, Mapping[str, float], list[Pair]]]:
    """The whole window, each slice of it, and the rows that each version answered or would have. What one that is
    `gone` would have answered is forgotten.
    """
    yield "", metrics.values, list(judged.values())
    for name, said in metrics.by_slice.items():
        field, _, value = name.partition(" = ")
        yield f", {name}", said, [pair for id_, pair in judged.items() if str(events[id_].raw.get(field)) == value]
    for version, said in metrics.by_version.items():
        if version in gone:
            continue
        own = [pair for id_, pair in judged.items() if answers[id_].model_version == version]
        shadows = [(one, truth[id_]) for id_ in judged for one in answers[id_].shadows]
        own += [(one.prediction, label) for one, label in shadows if one.model_version == version]
        yield f", version {version}", said, own


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


def _judged(ids: list[str], answers: Mapping[str, Prediction], truth: Mapping[str, Value]) -> dict[str, Pair]:
    """The rows of a window that have an answer and a label, with both."""
    found = {id_: (answers[id_].prediction, truth[id_]) for id_ in ids if id_ in truth and id_ in answers}
    return {id_: pair for id_, pair in found.items() if None not in pair}


def _figures(classes: bool, pairs: list[Pair]) -> dict[str, float]:
    """The main metric, and over how many rows."""
    if not pairs:
        return {"rows": 0.0}
    if classes:
        return {"rows": len(pairs), "accuracy": sum(a == b for a, b in pairs) / len(pairs)}
    return {"rows": len(pairs), "mae": sum(abs(float(str(a)) - float(str(b))) for a, b in pairs) / len(pairs)}


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
