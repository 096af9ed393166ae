"""One message with its place in the log and the broker's time: what the read models are folded from."""

from __future__ import annotations

import zlib
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Generic, TypeVar

import msgspec

from shared.bus.base import Record
from shared.codec import decode, encode
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


@dataclass(frozen=True, slots=True)
class Packed(Generic[M]):
    """An entry in a quarter of the room, for what is held in numbers and seldom looked at.

    `at_ms` is the broker's time in milliseconds, `value` the message as on its topic, compressed.
    """

    partition: int
    offset: int
    at_ms: int
    value: bytes

    @classmethod
    def of(cls, entry: Entry[M]) -> Packed[M]:
        at_ms = round(entry.at.timestamp() * 1000)
        return cls(entry.partition, entry.offset, at_ms, zlib.compress(encode(entry.message), 1))

    def message(self, topic: Topic[M]) -> M:
        return decode(topic, zlib.decompress(self.value))

    def entry(self, topic: Topic[M]) -> Entry[M]:
        """As it was packed."""
        at = datetime.fromtimestamp(self.at_ms / 1000, UTC)
        return Entry(topic.name, self.partition, self.offset, at, self.message(topic))


def in_order(entries: Iterable[Entry[M]]) -> list[Entry[M]]:
    """Each once, as they stand in the log."""
    found = {(entry.partition, entry.offset): entry for entry in entries}
    return [found[place] for place in sorted(found)]


def plain(message: msgspec.Struct) -> dict[str, Any]:
    """The message as plain JSON values, every field present, in nested structs too."""
    return {name: _plain(getattr(message, name)) for name in message.__struct_fields__}


def _plain(value: Any) -> Any:
    if isinstance(value, msgspec.Struct):
        return plain(value)
    if isinstance(value, dict):
        return {key: _plain(each) for key, each in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(each) for each in value]
    return msgspec.to_builtins(value)
