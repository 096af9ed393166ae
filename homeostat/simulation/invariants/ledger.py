"""The ledger: the chain computed anew from the bytes on the topic, and its entries held against what happened."""

from __future__ import annotations

import hashlib
import json
from collections import Counter, defaultdict
from collections.abc import Iterator, Sequence
from typing import Any

from homeostat.simulation.ran import Run
from shared.messages import AuditEntry
from shared.topics import AUDIT, COMMAND_RESULTS, COMMANDS, REQUESTS

FIRST = "0" * 64
UNDER_WAY = ("accepted", "running")
RESULT = ("command", "service", "state", "model_version", "detail", "cost_seconds")
ORDER = ("action", "reason", "issued_by")
"""What an entry has of a result, and of an order."""


def chain(run: Run) -> Iterator[str]:
    values = [record.value for record in run.records[AUDIT.name]]
    broken = broken_at(values)
    if broken is not None:
        yield broken
    for index in sorted({0, len(values) // 2, len(values) - 1} & set(range(len(values)))):
        if broken_at([*values[:index], altered(values[index]), *values[index + 1 :]]) is None:
            yield f"entry {index + 1} was altered and the chain still holds"


def broken_at(values: Sequence[bytes]) -> str | None:
    """The first place where the chain of these entries breaks, and how; None where it holds."""
    previous = FIRST
    for number, value in enumerate(values, start=1):
        try:
            entry: dict[str, Any] = json.loads(value)
        except ValueError:
            return f"entry {number} is not JSON"
        said = entry.pop("hash", "")
        text = json.dumps(entry, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
        if entry.get("sequence") != number:
            return f"entry {number} calls itself {entry.get('sequence')}"
        if entry.get("previous") != previous:
            return f"entry {number} does not follow the one before it"
        if hashlib.sha256(text.encode()).hexdigest() != said:
            return f"entry {number} was altered"
        previous = said
    return None


def altered(value: bytes) -> bytes:
    """The entry with one letter of its summary changed."""
    entry = json.loads(value)
    summary = entry["summary"]
    entry["summary"] = ("x" if summary[:1] != "x" else "y") + summary[1:]
    return json.dumps(entry, separators=(",", ":"), ensure_ascii=False).encode()


def tells_all(run: Run) -> Iterator[str]:
    told = Counter(str(one.body.get("command")) for one in run.messages(AUDIT) if one.kind == "command_issued")
    sent = Counter(one.id for one in run.given(COMMANDS))
    for id_ in sent - told:
        yield f"command {id_} was sent and is not in the ledger"
    for id_ in told - sent:
        yield f"the ledger says that command {id_} was issued, and it was not sent"
    yield from _told_otherwise(run)
    yield from _ends_told_twice(run.messages(AUDIT))
    yield from _results_told(run)
    yield from _requests_told(run)
    for one in run.messages(AUDIT):
        for ref in one.refs:
            if ref.offset >= run.ends.get((ref.topic, ref.partition), 0):
                yield f"entry {one.sequence} points at {ref.topic}[{ref.partition}]@{ref.offset}, which is no record"


def _told_otherwise(run: Run) -> Iterator[str]:
    """An order as it was sent; a person's is told as theirs."""
    sent = {one.id: one for one in run.given(COMMANDS)}
    asked = {one.incident for one in run.messages(AUDIT) if one.kind == "incident_opened" and "request" in one.body}
    for one in run.messages(AUDIT):
        order = sent.get(str(one.body.get("command"))) if one.kind == "command_issued" else None
        if order is None:
            continue
        for name in ORDER:
            if name in one.body and one.body[name] != getattr(order, name):
                yield f"entry {one.sequence} has {one.body[name]} as {name} of {order.id}, not {getattr(order, name)}"
        if order.issued_by.startswith("person:") != (order.incident in asked):
            yield f"{order.action} {order.id} is told as of {order.issued_by}"


def _results_told(run: Run) -> Iterator[str]:
    told = {tuple(one.body.get(name) for name in RESULT) for one in run.messages(AUDIT) if one.kind == "command_result"}
    for result in run.messages(COMMAND_RESULTS):
        if tuple(getattr(result, name) for name in RESULT) not in told:
            yield f"the ledger does not know that {result.command} {result.state} ({result.service})"


def _requests_told(run: Run) -> Iterator[str]:
    """Of a request that is there twice, one is enough."""
    told = {ref.offset for one in run.messages(AUDIT) for ref in one.refs if ref.topic == REQUESTS.name}
    places: dict[str, list[int]] = defaultdict(list)
    for record, request in run.of(REQUESTS):
        places[request.id].append(record.offset)
    for id_, offsets in places.items():
        if told.isdisjoint(offsets):
            yield f"request {id_} (requests@{offsets[0]}) is in no entry of the ledger"


def _ends_told_twice(entries: list[AuditEntry]) -> Iterator[str]:
    """An end of an order that is on the topic again is no news."""
    ends = Counter(
        (str(one.body["command"]), str(one.body["service"]), str(one.body["state"]), str(one.body["model_version"]))
        for one in entries
        if one.kind == "command_result" and one.body["state"] not in UNDER_WAY
    )
    for (command, service, state, _), count in ends.items():
        if count > 1:
            yield f"the ledger has it {count} times that command {command} {state} ({service})"
