"""From a request's body to its rows: JSON, NDJSON, CloudEvents. Pure; nothing is known of pipelines here."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime

import msgspec

from shared.errors import Poison

_NO_NUMBER = re.compile(rb"[:,\[]\s*-?(NaN|Infinity|nan|inf)\b")
_GZIP = b"\x1f\x8b"
_UNREADABLE = (msgspec.DecodeError, UnicodeDecodeError, RecursionError)


@dataclass(frozen=True, slots=True)
class Item:
    """One row of a body: what a CloudEvent's envelope said, or nothing, and the row itself."""

    row: object
    id: str | None = None
    source: str | None = None
    at: datetime | None = None
    broken: Poison | None = None


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
        raise Poison(_not_json(body, kind, error), reason="not-json") from error
    if kind.startswith("application/cloudevents"):
        events = decoded if isinstance(decoded, list) else [decoded]
        return [_structured(event) for event in events]
    if "ce-specversion" in headers:
        return [_binary(decoded, headers)]
    return [Item(row) for row in decoded] if isinstance(decoded, list) else [Item(decoded)]


def _lines(body: bytes) -> list[Item]:
    items = []
    for line in body.splitlines():
        if not line.strip():
            continue
        try:
            items.append(Item(msgspec.json.decode(line)))
        except _UNREADABLE as error:
            items.append(Item(None, broken=Poison(f"the line is not JSON: {_why(line, error)}", reason="not-json")))
    return items


def _not_json(body: bytes, kind: str, error: Exception) -> str:
    other = "" if not kind or "json" in kind else f", and Content-Type is {kind}"
    wanted = "an object, an array of them, or one object a line (NDJSON); other files go by `homeostat send`"
    return f"the body is not JSON{other}: {_why(body, error)}. Send {wanted}"


def _why(text: bytes, error: Exception) -> str:
    if isinstance(error, RecursionError):
        return "it is nested too deeply: a row's fields hold single values"
    if text.startswith(_GZIP):
        return "it is compressed: send it as it is"
    return f"{error} (JSON knows no NaN or Infinity: write null)" if _NO_NUMBER.search(text) else str(error)


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
        at = time_of(attributes.get("time"), "time")
    except Poison as error:
        return Item(data, broken=error)
    return Item(data, id=attributes.get("id"), source=attributes.get("source"), at=at)


def time_of(value: object, field: str) -> datetime | None:
    """RFC 3339 or seconds since 1970, UTC where it names no zone; `Poison` where it is neither."""
    if value is None:
        return None
    try:
        if isinstance(value, int | float) and not isinstance(value, bool):
            return datetime.fromtimestamp(value, UTC)
        at = datetime.fromisoformat(str(value))
    except (ValueError, OverflowError, OSError) as error:
        raise Poison(f"{field!r} is no time: {value!r}; write RFC 3339", reason="bad-time", field=field) from error
    return at if at.tzinfo is not None else at.replace(tzinfo=UTC)
