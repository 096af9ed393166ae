"""What derived records say, held against what was sent: values, sources, times, and features over several rows."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime
from math import isclose

from homeostat.simulation.ran import Run
from shared.messages import Features, RawRecord, Value
from shared.pipeline.specification import FeatureSpec, Specification
from shared.topics import FEATURES, LABELS, PIPELINES, PREDICTIONS, RAW_DATA, STEPS

CLOSE = 1e-9


def as_sent(run: Run) -> Iterator[str]:
    """Where a record names none that there is, another promise says so."""
    sent = {(record.partition, record.offset): message for record, message in run.of(RAW_DATA)}
    specification = run.world.specification
    for row in run.messages(FEATURES):
        if row.origin in sent:
            for wrong in _not_as_sent(row, sent[row.origin], specification):
                yield f"{row.id}: the features have {wrong}"
    for label in run.messages(LABELS):
        raw = sent.get(label.origin)
        told = None if raw is None else (raw.label, raw.source)
        if told is not None and told != (label.label, label.source):
            yield f"the label of {label.id} is {label.label} of {label.source}, sent was {told[0]} of {told[1]}"
    rows = {(record.partition, record.offset): message for record, message in run.of(FEATURES)}
    for answer in run.messages(PREDICTIONS):
        found = rows.get(answer.origin)
        if found is not None and (found.entity, found.at, found.withheld) != (
            answer.entity,
            answer.at,
            answer.withheld,
        ):
            yield f"the answer to {answer.id} is of {answer.entity} at {answer.at} without {list(answer.withheld)}"


def _not_as_sent(row: Features, raw: RawRecord, specification: Specification) -> Iterator[str]:
    named = {"source": (row.source, raw.source)}
    if specification.key is not None:
        named["entity"] = (row.entity, str(raw.values.get(specification.key)))
    for name, (here, there) in named.items():
        if here != there:
            yield f"{name} {here}, sent was {there}"
    for name, value in row.raw.items():
        told = raw.values.get(name)
        if name == specification.timestamp:
            if not row.at == datetime.fromisoformat(str(value)) == datetime.fromisoformat(str(told)):
                yield f"{name} {value} at {row.at}, sent was {told}"
        elif value != told and name not in row.withheld and name != specification.id:
            yield f"{name} {value}, sent was {told}"


def defined(run: Run) -> Iterator[str]:
    """By what the row's task had read before the step that took it, or in it; some waited for a first definition."""
    read = {record.offset: message for record, message in run.of(PIPELINES) if not message.removed}
    definitions = {at: Specification.model_validate(one.specification).definition for at, one in read.items()}
    known: dict[str, tuple[int, str]] = {}
    in_force: dict[tuple[int, int], tuple[str, str]] = {}
    for step in run.messages(STEPS):
        before = known.get(step.task, (0, ""))
        for topic, partition, start, until in step.inputs if step.task.startswith("ingest/") else ():
            for offset in range(start, until) if topic == PIPELINES.name else ():
                if offset in read:
                    newest = (read[offset].version, definitions[offset])
                    known[step.task] = max(known.get(step.task, newest), newest, key=lambda one: one[0])
            if topic == RAW_DATA.name:
                now = known.get(step.task, before)
                in_force |= dict.fromkeys(((partition, at) for at in range(start, until)), (before[1], now[1]))
    for row in run.messages(FEATURES):
        found = in_force.get(row.origin, ("", ""))
        if row.definition not in found and "" not in found:
            yield f"{row.id} has features of definition {row.definition}, in force was {found[1]}"


def over_rows(run: Run) -> Iterator[str]:
    """Of features that are a field's mean over rows, or its value rows before. Another definition begins anew."""
    defined = [Specification.model_validate(one.specification) for one in run.messages(PIPELINES) if not one.removed]
    specifications = {one.definition: one for one in defined}
    past: dict[tuple[str, str], list[Mapping[str, Value]]] = {}
    for row in run.messages(FEATURES):
        rows = past.setdefault((row.entity, row.definition), [])
        rows.append({**row.raw, **dict.fromkeys(row.withheld)})
        specification = specifications.get(row.definition)
        for name, spec in specification.feature_specs.items() if specification is not None else ():
            if spec.expression in row.raw and (spec.lag is not None or (spec.window and spec.statistic == "mean")):
                right, said = _of(spec, [each.get(spec.expression) for each in rows]), row.values.get(name)
                if not _same(said, right):
                    yield f"{row.id}: {name} is {said}, and the rows of {row.entity} before it give {right}"


def _of(spec: FeatureSpec, values: Sequence[Value]) -> float | None:
    if spec.lag is not None:
        found = values[-1 - spec.lag] if len(values) > spec.lag else None
        return None if found is None else float(found)
    known = [float(value) for value in values[-(spec.window or 1) :] if value is not None]
    return sum(known) / len(known) if known and len(known) >= spec.min_rows else None


def _same(one: Value, other: float | None) -> bool:
    if one is None or other is None:
        return one is other
    return isclose(float(one), other, rel_tol=CLOSE, abs_tol=CLOSE)
