"""One message with its place in the log and the broker's time: what the read models are folded from."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Generic, TypeVar

import msgspec

from shared.bus.base import Record
from shared.codec import decode
from shared.topics import Topic

M = TypeVar("M", bound=msgspec.Struct)


@dataclass(frozen=True, slots=True)
class Entry(Generic[M]):
    """`topic` is the name without the installation's prefix; `at` is when the broker took it."""

    topic: str
    partition: int
    offset: int
    at: datetime
    message: M

    @property
    def place(self) -> dict[str, Any]:
        """Topic, partition and offset, as the interface shows them."""
        return {"topic": self.topic, "partition": self.partition, "offset": self.offset}


def entry_of(topic: Topic[M], record: Record) -> Entry[M]:
    """The record's message with its place; `Poison` where it is not one."""
    at = datetime.fromtimestamp(record.timestamp_ms / 1000, UTC)
    return Entry(topic.name, record.partition, record.offset, at, decode(topic, record.value))


def plain(message: msgspec.Struct) -> dict[str, Any]:
    """The message as plain JSON values, every field present."""
    fields = {name: getattr(message, name) for name in message.__struct_fields__}
    return {name: msgspec.to_builtins(value) for name, value in fields.items()}
