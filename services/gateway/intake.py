"""From a request's body to `RawRecord`s, and why a row is refused. Pure: no I/O, `now` is given."""

from __future__ import annotations

import json
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

import msgspec

from shared.errors import Poison
from shared.identity import stable_id
from shared.messages import RawRecord
from shared.pipeline.contract import Contract
from shared.pipeline.problems import Problem
from shared.pipeline.specification import Specification

Row = Mapping[str, Any]
MOST_NESTED = 32
"""A row holds plain values. What is nested is refused by its field; what is so deep, before anyone reads on."""

_UNREADABLE = (msgspec.DecodeError, UnicodeDecodeError, RecursionError)

LABEL_FIELDS = frozenset(("id", "label", "timestamp", "source"))


@dataclass(frozen=True, slots=True)
class Item:
    """One row of a body: what a CloudEvent's envelope said, or nothing, and the row itself."""

    row: object
    id: str | None = None
    source: str | None = None
    at: datetime | None = None
    broken: Poison | None = None


@dataclass(frozen=True, slots=True)
class Intake:
    """What a body came to. `rejected` are rows refused, in order, each with why.

    `broken` are records whose row or label breaks the data contract: they are among the rejected, and
    go on to `raw-data` all the same. There ingest keeps them as dead letters, with their original
    bytes, and the monitor sees them: a source that goes wrong must not be invisible because its sender was told.
    """

    records: list[RawRecord] = field(default_factory=list)
    broken: list[RawRecord] = field(default_factory=list)
    rejected: list[dict[str, Any]] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class Rules:
    """What rows are held to. `lenient` names, by source, the fields that a quarantine blanks anyway."""

    specification: Specification
    contract: Contract
    limit: int
    lenient: Mapping[str, Collection[str]] = field(default_factory=dict)


def items_of(body: bytes, content_type: str, headers: Mapping[str, str]) -> list[Item]:
    """The rows of a body: JSON object, array, NDJSON, CloudEvent (structured, batched or binary).

    `Poison` where the body as a whole is none of these. A line of NDJSON that is no JSON is an item
    that says so: the other lines are not harmed.
    """
    kind = content_type.partition(";")[0].strip().lower()
    if "ndjson" in kind or "jsonl" in kind or "json-seq" in kind:
        return _lines(body)
    try:
        decoded = msgspec.json.decode(body)
    except _UNREADABLE as error:
        if b"\n" in body.strip() and _is_json(body.strip().partition(b"\n")[0]):
            return _lines(body)
        raise Poison(f"the body is not JSON: {error}", reason="not-json") from error
    if kind.startswith("application/cloudevents"):
        events = decoded if isinstance(decoded, list) else [decoded]
        return [_structured(event) for event in events]
    if "ce-specversion" in headers:
        return [_binary(decoded, headers)]
    return [Item(row) for row in decoded] if isinstance(decoded, list) else [Item(decoded)]


Naming = Callable[[str, Row], str]


def content_id(pipeline: str, values: Row) -> str:
    """The id of an event that came without one: the same row is the same event."""
    return stable_id("event", pipeline, json.dumps(values, sort_keys=True, separators=(",", ":"), default=str))


def events_of(items: Sequence[Item], rules: Rules, *, source: str, now: datetime, name: Naming = content_id) -> Intake:
    """Events to write; `name` makes the id of a row without one."""

    def check(record: RawRecord) -> Problem | None:
        found = rules.contract.check_row(record.values, rules.lenient.get(record.source, ()))
        return found if isinstance(found, Problem) else None

    return _sorted(items, rules, lambda item: _event(item, rules.specification, source, now, name), check)


def labels_of(items: Sequence[Item], rules: Rules, *, source: str, now: datetime) -> Intake:
    """Labels to write, from ``{"id", "label", "timestamp"?}``."""

    def check(record: RawRecord) -> Problem | None:
        found = rules.contract.check_label(record.label)
        return found if isinstance(found, Problem) else None

    return _sorted(items, rules, lambda item: _label(item, rules.specification, source, now), check)


def _sorted(
    items: Sequence[Item],
    rules: Rules,
    record_of: Callable[[Item], RawRecord],
    check: Callable[[RawRecord], Problem | None],
) -> Intake:
    intake = Intake()
    for index, item in enumerate(items):
        try:
            record = record_of(item)
            _bound(record, rules.limit)
        except Poison as error:
            intake.rejected.append(_rejection(index, _id_in(item, rules.specification), error))
            continue
        problem = check(record)
        if problem is None:
            intake.records.append(record)
        else:
            intake.broken.append(record)
            broken = Poison(str(problem), reason=problem.reason, field=problem.field)
            intake.rejected.append(_rejection(index, record.id, broken))
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
    names = LABEL_FIELDS | ({spec.id} if spec.id else set())
    for name in row:
        if name not in names:
            raise Poison(
                f"a label has id, label and timestamp; {name!r} is none of them", reason="unknown-field", field=name
            )
    given = row.get("id", row.get(spec.id) if spec.id else None)
    if given is None:
        raise Poison("a label names the event it belongs to in `id`", reason="missing-id", field="id")
    if "label" not in row:
        raise Poison("`label` is missing", reason="missing-label", field="label")
    event = _id(given, "id")
    return RawRecord(
        pipeline=spec.name,
        id=event,
        entity=event,
        source=str(row.get("source") or item.source or source),
        kind="label",
        label=row["label"],
        at=_time(row.get("timestamp"), "timestamp") or item.at,
        received_at=now,
    )


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
        raise Poison(f"{field!r} identifies the row: give a string or a number", reason="bad-id", field=field)
    text = str(value)
    if len(text) > 512:
        raise Poison(f"{field!r} has {len(text)} characters; an id has at most 512", reason="bad-id", field=field)
    return text


def _time(value: object, field: str) -> datetime | None:
    if value is None:
        return None
    try:
        if isinstance(value, int | float) and not isinstance(value, bool):
            return datetime.fromtimestamp(value, UTC)
        at = datetime.fromisoformat(str(value))
    except (ValueError, OverflowError, OSError) as error:
        raise Poison(f"{field!r} is no time: {value!r}; write RFC 3339", reason="bad-time", field=field) from error
    return at if at.tzinfo is not None else at.replace(tzinfo=UTC)


def _bound(record: RawRecord, limit: int) -> None:
    if _deeper_than(MOST_NESTED, record.values if record.kind == "event" else record.label):
        raise Poison(f"the row is nested more than {MOST_NESTED} deep", reason="too-deep")
    size = len(msgspec.json.encode(record))
    if size > limit:
        raise Poison(f"the row has {size} bytes; one may have at most {limit}", reason="too-large")


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
    found = item.row.get(spec.id or "id") if isinstance(item.row, dict) else None
    return item.id if found is None else str(found)[:512]


def _rejection(index: int, event: str | None, error: Poison) -> dict[str, Any]:
    return {"index": index, "id": event, "reason": error.reason, "field": error.field, "detail": error.detail}


def _lines(body: bytes) -> list[Item]:
    items = []
    for line in body.splitlines():
        if not line.strip():
            continue
        try:
            items.append(Item(msgspec.json.decode(line)))
        except _UNREADABLE as error:
            items.append(Item(None, broken=Poison(f"the line is not JSON: {error}", reason="not-json")))
    return items


def _is_json(line: bytes) -> bool:
    try:
        msgspec.json.decode(line)
    except _UNREADABLE:
        return False
    return True


def _structured(event: object) -> Item:
    if not isinstance(event, dict):
        return Item(event)
    absent = [name for name in ("id", "source", "specversion", "type") if not event.get(name)]
    if absent:
        detail = f"the CloudEvent lacks {', '.join(absent)} (CloudEvents 1.0, section 3.1)"
        return Item(None, broken=Poison(detail, reason="not-a-cloudevent", field=absent[0]))
    return _enveloped(event.get("data"), {name: str(event[name]) for name in event if name != "data"})


def _binary(data: object, headers: Mapping[str, str]) -> Item:
    return _enveloped(data, {name[3:]: value for name, value in headers.items() if name.startswith("ce-")})


def _enveloped(data: object, attributes: Mapping[str, str]) -> Item:
    at: datetime | None = None
    try:
        at = _time(attributes.get("time"), "time")
    except Poison as error:
        return Item(data, broken=error)
    return Item(data, id=attributes.get("id"), source=attributes.get("source"), at=at)
