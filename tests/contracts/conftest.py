"""One bus of each kind, each with topics of its own, for the tests that every bus must pass."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import TypeVar

import pytest
from kafka import KafkaAdminClient
from kafka.admin import MemberToRemove

from shared.bus.base import Bus, LogReader, NewRecord, Producer, Record, TopicSpec, Transaction
from shared.bus.kafka_python import KafkaPythonBus
from shared.bus.librdkafka import LibrdkafkaBus
from shared.bus.memory import MemoryBus
from shared.clock import monotonic

Part = TypeVar("Part", Producer, LogReader, Transaction)

LIMITS_KEY = "large"
SESSION_MS = 6000
PATIENCE_SECONDS = 90.0
"""Groups settle in their own time, more so on a busy machine: only a test that fails waits so long."""


class Rig:
    """A bus, and everything a test made on it, closed at its end."""

    def __init__(self, bus: Bus, prefix: str) -> None:
        self.bus = bus
        self.prefix = prefix
        self._open: list[Producer | LogReader | Transaction] = []

    def topic(self, name: str = "topic", partitions: int = 1, largest: int = 1_048_576) -> str:
        full = self.prefix + name
        self.bus.ensure_topics([TopicSpec(full, partitions, 1, {"max.message.bytes": str(largest)})], timeout=20.0)
        return full

    def producer(self) -> Producer:
        return self._kept(self.bus.producer(self.prefix + "producer"))

    def reader(self) -> LogReader:
        return self._kept(self.bus.reader(self.prefix + "reader"))

    def transaction(self, slot: str = "slot", group: str = "group") -> Transaction:
        return self._kept(self.bus.transaction(self.prefix + group, self.prefix + slot, self.prefix + slot))

    def write(self, topic: str, *values: bytes, key: bytes | None = b"k", partition: int | None = None) -> None:
        self.producer().send([NewRecord(topic, key, value, (), partition) for value in values], timeout=20.0)

    def everything(self, topic: str) -> list[bytes]:
        """The values of all committed records, partition by partition."""
        reader, found = self.reader(), []
        for partition, end in sorted(reader.written_offsets(topic).items()):
            for chunk in reader.read(topic, partition, 0, end, timeout=20.0):
                found += [record.value for record in chunk]
        return found

    def expel(self, slot: str = "slot", group: str = "group") -> None:
        """Takes every member out of the group behind its back, as the end of its session does."""
        if isinstance(self.bus, MemoryBus):
            self.bus.expel(self.prefix + group, self.prefix + slot)
            return
        admin = KafkaAdminClient(bootstrap_servers=self.bus.clients.bootstrap_servers)  # type: ignore[attr-defined]
        members = admin.describe_groups([self.prefix + group])[self.prefix + group]["members"]
        admin.remove_group_members(self.prefix + group, [MemberToRemove(one["member_id"]) for one in members])
        admin.close()

    def close(self) -> None:
        for part in reversed(self._open):
            part.close()
        self.bus.close()

    def _kept(self, part: Part) -> Part:
        self._open.append(part)
        return part


class Listener:
    """Remembers what was assigned and revoked; holds new partitions back until the test lets them flow."""

    def __init__(self, transaction: Transaction) -> None:
        self.transaction = transaction
        self.owned: set[tuple[str, int]] = set()
        self.lost: set[tuple[str, int]] = set()
        self.generation = 0

    def assigned(self, partitions: Sequence[tuple[str, int]]) -> None:
        self.generation += 1
        self.owned.update(partitions)
        for at in partitions:
            self.transaction.pause(*at)

    def revoked(self, partitions: Sequence[tuple[str, int]]) -> None:
        self.owned.difference_update(partitions)
        self.lost.update(partitions)


def poll_until(
    poll: Callable[[], list[Record]], done: Callable[[list[Record]], bool], seconds: float = PATIENCE_SECONDS
) -> list[Record]:
    """Polls until `done` says so of all records so far; fails after `seconds`."""
    found: list[Record] = []
    deadline = monotonic() + seconds
    while monotonic() < deadline:
        found += poll()
        if done(found):
            return found
    raise AssertionError(f"not done after {seconds:g} s: {[record.value for record in found]}")


@pytest.fixture(
    params=[
        "memory",
        pytest.param("librdkafka", marks=pytest.mark.kafka),
        pytest.param("kafka-python", marks=pytest.mark.kafka),
    ]
)
def rig(request: pytest.FixtureRequest, topic_prefix: str) -> Iterator[Rig]:
    limits = {topic_prefix + LIMITS_KEY: 2_000_000}
    bus: Bus
    if request.param == "memory":
        bus = MemoryBus(limits=limits)
    else:
        kind: Callable[..., Bus] = LibrdkafkaBus if request.param == "librdkafka" else KafkaPythonBus
        bus = kind(request.getfixturevalue("kafka_bootstrap"), session_timeout_ms=SESSION_MS, limits=limits)
    made = Rig(bus, topic_prefix)
    yield made
    made.close()
