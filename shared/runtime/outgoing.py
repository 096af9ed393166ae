"""Messages on their way out: bytes, key and headers (W3C traceparent, CloudEvents on control topics)."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from typing import Any

from shared import codec
from shared.bus.base import MAX_RECORD_BYTES, NewRecord, size_of
from shared.bus.factory import LARGEST_DEAD_LETTER
from shared.identity import stable_id
from shared.messages import DeadLetter
from shared.runtime.task import Task
from shared.telemetry.tracing import HEADER, Traces
from shared.topics import ALERTS, DEAD_LETTERS, Out, Topic


def record_of(out: Out, name: str, trace: str, event_id: str, source: bytes, time: bytes) -> NewRecord:
    """The record that `out` travels as."""
    topic, message = out.topic, out.message
    headers: tuple[tuple[str, bytes], ...] = ((HEADER, trace.encode()),)
    if topic.event_type is not None:
        headers += (
            ("content-type", b"application/json"),
            ("ce_specversion", b"1.0"),
            ("ce_id", event_id.encode()),
            ("ce_type", event_type(topic, message).encode()),
            ("ce_source", source),
            ("ce_time", time),
        )
    return NewRecord(name, topic.key(message).encode(), codec.encode(message), headers)


def event_type(topic: Topic[Any], message: object) -> str:
    """The CloudEvents type: the topic's own, and for alerts their state too."""
    if topic is ALERTS:
        return f"{topic.event_type}.{message.state}"  # type: ignore[attr-defined]
    return topic.event_type or ""


class Outgoing:
    """Turns one step's messages into records. The same step gives the same bytes."""

    def __init__(self, task: Task, full_name: Callable[[str], str], limits: Mapping[str, int] | None = None) -> None:
        self._task = task
        self._full_name = full_name
        self._source = f"/homeostat/{task.service}".encode()
        self._limits = {DEAD_LETTERS.name: LARGEST_DEAD_LETTER, **(limits or {})}

    def records_of(self, outs: Sequence[Out], step: int, now: datetime) -> list[NewRecord]:
        """One record per message. One that is too large for its topic becomes a dead letter that says so."""
        label = f"{self._task.name}/{step}"
        traces, time = Traces(label), now.isoformat().encode()
        records = []
        for index, out in enumerate(outs):
            trace, event_id = traces.next(out.trace), f"{label}/{index}"
            record = record_of(out, self._full_name(out.topic.name), trace, event_id, self._source, time)
            if size_of(record) > self._limits.get(out.topic.name, MAX_RECORD_BYTES):
                letter = DEAD_LETTERS.of(self._too_large(out, record, now))
                name = self._full_name(DEAD_LETTERS.name)
                record = record_of(letter, name, trace, event_id, self._source, time)
            records.append(record)
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
