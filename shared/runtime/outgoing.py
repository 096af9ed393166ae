"""Messages on their way out: bytes, key and headers (W3C traceparent, CloudEvents on control topics)."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from itertools import groupby
from operator import attrgetter
from typing import Any

from shared.bus.base import MAX_RECORD_BYTES, NewRecord, maybe_too_large, size_of
from shared.bus.factory import LARGEST_DEAD_LETTER
from shared.codec import encode
from shared.identity import stable_id
from shared.messages import DeadLetter
from shared.runtime.task import Task
from shared.telemetry.tracing import HEADER, Headers, Traces
from shared.topics import ALERTS, DEAD_LETTERS, Out, Topic


def event_type(topic: Topic[Any], message: object) -> str:
    """The CloudEvents type: the topic's own, and for alerts their state too."""
    if topic is ALERTS:
        return f"{topic.event_type}.{message.state}"  # type: ignore[attr-defined]
    return topic.event_type or ""


def records_of(
    outs: Sequence[Out], label: str, source: str, full_name: Callable[[str], str], now: datetime
) -> list[NewRecord]:
    """The records that `outs` travel as, in order; traces and event ids are made from `label`."""
    trace_after = Traces(label).next
    about = (("content-type", b"application/json"), ("ce_specversion", b"1.0"))
    of_all = (("ce_source", source.encode()), ("ce_time", now.isoformat().encode()))

    def event_headers(out: Out, index: int) -> Headers:
        own = (("ce_id", f"{label}/{index}".encode()), ("ce_type", event_type(out.topic, out.message).encode()))
        return ((HEADER, trace_after(out.trace)), *about, *own, *of_all)

    records: list[NewRecord] = []
    for topic, run in groupby(outs, attrgetter("topic")):
        name, key = full_name(topic.name), topic.key
        if topic.event_type is None:  # the rows are among these: a comprehension, for speed
            records += [
                NewRecord(name, key(out.message).encode(), encode(out.message), ((HEADER, trace_after(out.trace)),))
                for out in run
            ]
        else:
            records += [
                NewRecord(name, key(out.message).encode(), encode(out.message), event_headers(out, index))
                for index, out in enumerate(run, len(records))
            ]
    return records


class Outgoing:
    """Turns one step's messages into records. The same step gives the same bytes."""

    def __init__(self, task: Task, full_name: Callable[[str], str], limits: Mapping[str, int] | None = None) -> None:
        self._task = task
        self._full_name = full_name
        limits = {DEAD_LETTERS.name: LARGEST_DEAD_LETTER, **(limits or {})}
        self._limits = {full_name(topic): limit for topic, limit in limits.items()}
        self._least_limit = min(MAX_RECORD_BYTES, *limits.values())

    def records_of(self, outs: Sequence[Out], step: int, now: datetime) -> list[NewRecord]:
        """One record per message. One that is too large for its topic becomes a dead letter that says so."""
        task = self._task
        records = records_of(outs, f"{task.name}/{step}", f"/homeostat/{task.service}", self._full_name, now)
        for index in maybe_too_large(records, self._least_limit):
            record = records[index]
            if size_of(record) > self._limits.get(record.topic, MAX_RECORD_BYTES):
                letter = self._too_large(outs[index], record, now)
                name, key = self._full_name(DEAD_LETTERS.name), DEAD_LETTERS.key(letter).encode()
                records[index] = NewRecord(name, key, encode(letter), record.headers[:1])
        return records

    def _too_large(self, out: Out, record: NewRecord, now: datetime) -> DeadLetter:
        fits = len(record.value) * 4 // 3 < LARGEST_DEAD_LETTER - 10_000
        return DeadLetter(
            topic=out.topic.name,
            partition=-1,
            offset=-1,
            reason="too-large",
            detail=f"{self._task.name} made a message of {size_of(record)} bytes for {out.topic.name}: "
            "it was not published. Send smaller rows.",
            value=record.value if fits else b"",
            pipeline=getattr(out.message, "pipeline", None),
            id=getattr(out.message, "id", None) or stable_id("output", record.value),
            service=self._task.service,
            at=now,
        )
