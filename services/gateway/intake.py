"""From a request's body to `RawRecord`s, and why a row is refused. Pure: no I/O, `now` is given."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

import msgspec

from services.gateway.bodies import Item, time_of
from shared.errors import Poison
from shared.identity import stable_id
from shared.messages import RawRecord
from shared.messages.data import LONGEST_SOURCE
from shared.pipeline.contract import Contract
from shared.pipeline.problems import Problem
from shared.pipeline.specification import Specification

Row = Mapping[str, Any]
MOST_NESTED = 32
"""A row holds plain values. What is nested is refused by its field; what is so deep, before anyone reads on."""

MOST_IGNORED = 100
"""Fields that are told of as unknown, at most."""


@dataclass(frozen=True, slots=True)
class Intake:
    """What a body came to. `rejected` are rows refused, in order, with why; `other` is a row that one clashes with.

    `broken` are records whose row or label breaks the data contract: they are among the rejected, and
    go on to `raw-data` all the same. There ingest keeps them as dead letters, with their original
    bytes, and the monitor sees them: a source that goes wrong must not be invisible because its sender was told.
    `repeated` counts the records that say again what one before them said. `ignored` counts, by name, fields
    that the pipeline does not have. `alone`: the body is one row, not a list of them.
    """

    records: list[RawRecord] = field(default_factory=list)
    broken: list[RawRecord] = field(default_factory=list)
    rejected: list[dict[str, Any]] = field(default_factory=list)
    repeated: list[str] = field(default_factory=list)
    ignored: Counter[str] = field(default_factory=Counter)
    alone: bool = False


@dataclass(frozen=True, slots=True)
class Rules:
    """What rows are held to. `lenient` names, by source, the fields that a quarantine blanks anyway."""

    specification: Specification
    contract: Contract
    limit: int
    lenient: Mapping[str, Collection[str]] = field(default_factory=dict)

    def withheld(self, source: str) -> Collection[str]:
        """The fields of this source that are blanked; ``*`` is every source."""
        return () if not self.lenient else {*self.lenient.get(source, ()), *self.lenient.get("*", ())}


Naming = Callable[[str, Row], str]


def content_id(pipeline: str, values: Row) -> str:
    """The id of an event that came without one: the same row is the same event."""
    return stable_id("event", pipeline, json.dumps(values, sort_keys=True, separators=(",", ":"), default=str))


def events_of(items: Sequence[Item], rules: Rules, *, source: str, now: datetime, name: Naming = content_id) -> Intake:
    """Events to write; `name` makes the id of a row without one."""

    aside = {rules.specification.target, rules.specification.id}
    first: dict[str, tuple[int, Row]] = {}

    def check(index: int, record: RawRecord, intake: Intake) -> Problem | None:
        found = rules.contract.check_row(record.values, rules.withheld(record.source))
        if isinstance(found, Problem):
            return found
        place, values = first.setdefault(record.id, (index, record.values))
        if place != index and any(values.get(n) != record.values.get(n) for n in {*values, *record.values} - aside):
            detail = f"the id {record.id!r} already stands for row {place} of this body, which has other values"
            return Problem(rules.specification.id or "id", "id-conflict", detail, (place,))
        if place != index:
            intake.repeated.append(record.id)
        if found.extra:
            _ignore(record.values.keys() - rules.specification.fields.keys(), intake.ignored)
        return None

    return _sorted(items, rules, lambda item: _event(item, rules.specification, source, now, name), check)


def _ignore(names: Collection[str], ignored: Counter[str]) -> None:
    """Counts these fields; names that are new only while there is room."""
    for name in sorted(names):
        if name in ignored or len(ignored) < MOST_IGNORED:
            ignored[name] += 1


def labels_of(items: Sequence[Item], rules: Rules, *, source: str, now: datetime) -> Intake:
    """Labels to write, from ``{"id", "label", "timestamp"?}``; the pipeline's own names for id and target will do."""

    def check(_: int, record: RawRecord, __: Intake) -> Problem | None:
        found = rules.contract.check_label(record.label)
        return found if isinstance(found, Problem) else None

    return _sorted(items, rules, lambda item: _label(item, rules.specification, source, now), check)


def _sorted(
    items: Sequence[Item],
    rules: Rules,
    record_of: Callable[[Item], RawRecord],
    check: Callable[[int, RawRecord, Intake], Problem | None],
) -> Intake:
    intake = Intake()
    for index, item in enumerate(items):
        try:
            record = record_of(item)
            _bound(record, rules.limit)
        except Poison as error:
            intake.rejected.append(_rejection(index, _id_in(item, rules.specification), error))
            continue
        problem = check(index, record, intake)
        if problem is None:
            intake.records.append(record)
        else:
            intake.broken.append(record)
            broken = Poison(str(problem), reason=problem.reason, field=problem.field)
            other = {"other": problem.path[0]} if problem.path else {}
            intake.rejected.append(_rejection(index, record.id, broken) | other)
    return intake


def _event(item: Item, spec: Specification, source: str, now: datetime, name: Naming) -> RawRecord:
    row = _row(item)
    values = dict(row)
    given = row.get(spec.id) if spec.id is not None else None
    if given is None:
        given = row["id"] if row.get("id") is not None else item.id
        if "id" not in spec.fields:
            values.pop("id", None)
    event = _id(given, spec.id or "id") if given is not None else name(spec.name, values)
    key = row.get(spec.key) if spec.key is not None else None
    return RawRecord(
        pipeline=spec.name,
        id=event,
        entity=event if key is None else _id(key, spec.key or ""),
        source=item.source or source,
        values=values,
        at=item.at,
        received_at=now,
    )


def _label(item: Item, spec: Specification, source: str, now: datetime) -> RawRecord:
    row = _row(item)
    ids, truths = _names_in(spec)
    if unknown := [name for name in row if name not in (*ids, *truths, "timestamp", "source")]:
        detail = f"{unknown[0]!r} is no part of a label: {_form_of_label(spec)}"
        raise Poison(detail, reason="unknown-field", field=unknown[0])
    id_name, truth = _given(row, ids), _given(row, truths)
    if row.get(id_name) is None:
        detail = f"the label does not say which event it is of: {_form_of_label(spec)}"
        raise Poison(detail, reason="missing-id", field=id_name)
    if truth not in row:
        raise Poison(f"the label itself is missing: {_form_of_label(spec)}", reason="missing-label", field=truth)
    event = _id(row[id_name], id_name)
    return RawRecord(
        pipeline=spec.name,
        id=event,
        entity=event,
        source=str(row.get("source") or item.source or source),
        kind="label",
        label=row[truth],
        at=time_of(row.get("timestamp"), "timestamp") or item.at,
        received_at=now,
    )


def _names(usual: str, own: str | None) -> tuple[str, ...]:
    """What a part of a label may be called, the pipeline's own name first."""
    return tuple(dict.fromkeys((own or usual, usual)))


def _given(row: Row, names: tuple[str, ...]) -> str:
    """By which of these names it is given; `Poison` where two of them say different things."""
    given = [name for name in names if row.get(name) is not None]
    if len(given) > 1 and row[given[0]] != row[given[1]]:
        detail = f"{given[0]!r} and {given[1]!r} are both given, and differ: leave one out"
        raise Poison(detail, reason="unclear", field=given[1])
    return given[0] if given else next((name for name in names if name in row), names[-1])


def _form_of_label(spec: Specification) -> str:
    ids, truths = (" (or ".join(map(repr, names)) + ")" * (len(names) - 1) for names in _names_in(spec))
    return f"give {ids} and {truths}, and where you like 'timestamp' and 'source'"


def _names_in(spec: Specification) -> tuple[tuple[str, ...], tuple[str, ...]]:
    return _names("id", spec.id), _names("label", spec.target)


def _row(item: Item) -> Row:
    if item.broken is not None:
        raise item.broken
    if not isinstance(item.row, dict):
        raise Poison(f"a row is a JSON object, this is {_named(item.row)}", reason="not-an-object")
    return item.row


def _named(value: object) -> str:
    names: dict[type, str] = {list: "an array", str: "a string", bool: "a boolean", type(None): "null"}
    return names.get(type(value), "a number")


def _id(value: object, field: str) -> str:
    if isinstance(value, bool) or not isinstance(value, str | int | float) or value == "":
        found = "empty" if value == "" else _named(value)
        detail = f"{field!r} is {found}; it identifies the row: give a string or a number"
        raise Poison(detail, reason="bad-id", field=field)
    text = str(value)
    if len(text) > 512:
        raise Poison(
            f"{field!r} has {len(text)} characters; an id or a key has at most 512", reason="bad-id", field=field
        )
    return text


def _bound(record: RawRecord, limit: int) -> None:
    if len(record.source) > LONGEST_SOURCE:
        detail = f"'source' has {len(record.source)} characters; a source's name has at most {LONGEST_SOURCE}"
        raise Poison(detail, reason="bad-source", field="source")
    if _deeper_than(MOST_NESTED, record.values if record.kind == "event" else record.label):
        detail = f"the row is nested more than {MOST_NESTED} deep: its fields hold single values"
        raise Poison(detail, reason="too-deep")
    size = len(msgspec.json.encode(record))
    if size > limit:
        raise _too_large(record, size, limit)


def _too_large(record: RawRecord, size: int, limit: int) -> Poison:
    """Names the field that is most of the row, where one is."""
    parts = record.values if record.kind == "event" else {"label": record.label}
    sizes = {name: len(msgspec.json.encode(value)) for name, value in parts.items()}
    largest = max(sizes, key=sizes.__getitem__, default=None)
    detail = f"the row has {size} bytes, and one may have at most {limit}"
    if largest is None or 2 * sizes[largest] < size:
        return Poison(f"{detail}: leave out what is no field of the pipeline", reason="too-large")
    detail = f"{detail}: {largest!r} alone has {sizes[largest]}; shorten it, or leave it out if it is no field"
    return Poison(detail, reason="too-large", field=largest)


def _deeper_than(most: int, value: object) -> bool:
    """Whether arrays and objects lie within each other more than `most` deep; level by level, not by recursion."""
    level: list[object] = [value]
    for _ in range(most + 1):
        within = [each for each in level if isinstance(each, dict | list)]
        level = [part for each in within for part in (each.values() if isinstance(each, dict) else each)]
        if not within:
            return False
    return True


def _id_in(item: Item, spec: Specification) -> str | None:
    row = item.row if isinstance(item.row, dict) else {}
    found = next((row[name] for name in _names("id", spec.id) if row.get(name) is not None), None)
    return item.id if found is None else str(found)[:512]


def _rejection(index: int, event: str | None, error: Poison) -> dict[str, Any]:
    return {"index": index, "id": event, "reason": error.reason, "field": error.field, "detail": error.detail}
