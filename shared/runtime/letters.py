"""Dead letters for records that their service never answered for: undecodable, or refused whole."""

from __future__ import annotations

from datetime import datetime

import msgspec

from shared.bus.base import Record
from shared.messages import DeadLetter
from shared.runtime.task import Task


def letter_of(record: Record, topic: str, task: Task, now: datetime, *, reason: str, detail: str) -> DeadLetter:
    """The dead letter that keeps `record`, its bytes as they were, and whatever says whose it is."""
    known = _known(record.value)
    return DeadLetter(
        topic=topic,
        partition=record.partition,
        offset=record.offset,
        reason=reason,
        detail=detail,
        value=record.value,
        key=record.key,
        pipeline=known.get("pipeline"),
        id=known.get("id"),
        source=known.get("source"),
        service=task.service,
        at=now,
    )


def _known(value: bytes) -> dict[str, str]:
    """The identifying fields of a record that may be anything at all."""
    try:
        found = msgspec.json.decode(value)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return {}
    if not isinstance(found, dict):
        return {}
    return {name: text for name in ("pipeline", "id", "source") if isinstance(text := found.get(name), str)}
