"""Logs and stores that lose, double or forget."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from datetime import timedelta
from typing import Any, ClassVar

import msgspec

from homeostat.simulation.ground import Commit, FailingBus, FailingStore, _Reader, _Transaction
from homeostat.simulation.injector import TopicPartition
from shared import codec
from shared.bus.base import Fenced, NewRecord, Position
from shared.bus.memory import MemoryProducer, MemoryTransaction
from shared.runtime.tasks import RULES
from shared.state import pack, unpack
from shared.topics import STEPS, TELEMETRY


class ForgetsEnds(FailingStore):
    """Snapshots without the jobs that have ended."""

    def save(self, name: str, data: bytes) -> None:
        super().save(name, pack(msgspec.structs.replace(unpack(data), ended_jobs=())))


class HastyBus(FailingBus):
    """Says of every topic of rules that nothing is there to be read first."""

    def __init__(self, *arguments: Any, **options: Any) -> None:
        super().__init__(*arguments, **options)
        self.readers = _Hasty


class _Hasty(_Reader):
    def written_offsets(self, topic: str) -> dict[int, int]:
        return {0: 0} if topic in {one.name for one in RULES} else super().written_offsets(topic)


class BreakingBus(FailingBus):
    """Hands out transactions that break a promise: `broken`."""

    broken: ClassVar[type[_Transaction]]

    def __init__(self, *arguments: Any, **options: Any) -> None:
        super().__init__(*arguments, **options)
        self.transactions = self.broken


class _Early(_Transaction):
    def commit(self, records: Sequence[NewRecord], offsets: Mapping[TopicPartition, int]) -> None:
        MemoryTransaction.commit(self, [one for one in records if one.topic == STEPS.name], offsets)
        super().commit([one for one in records if one.topic != STEPS.name], offsets)


class EarlyBus(BreakingBus):
    """Commits offsets and the journal first and outputs after, so that a kill between the two loses them."""

    broken = _Early


class LosingBus(FailingBus):
    """Takes a client's records and loses every hundredth."""

    def producer(self, client_id: str) -> MemoryProducer:
        return _Losing(self)


class _Losing(MemoryProducer):
    _sent = 0

    def send(self, records: Sequence[NewRecord], timeout: float) -> list[Position]:
        self._sent += 1
        return [] if self._sent % 100 == 0 else super().send(records, timeout)


class _Forgetful(_Transaction):
    def commit(self, records: Sequence[NewRecord], offsets: Mapping[TopicPartition, int]) -> None:
        behind = 1 if self.service == "monitor" else 0
        super().commit(records, {at: max(0, offset - behind) for at, offset in offsets.items()})


class ForgetfulBus(BreakingBus):
    """Commits outputs and now and then not the offsets that belong to them."""

    broken = _Forgetful


class _Journalless(_Transaction):
    _commits = 0

    def commit(self, records: Sequence[NewRecord], offsets: Mapping[TopicPartition, int]) -> None:
        self._commits += 1
        lost = self._commits % 20 == 0
        super().commit([one for one in records if not (lost and one.topic == STEPS.name)], offsets)


class JournallessBus(BreakingBus):
    """Now and then loses the journal's entry of a step."""

    broken = _Journalless


class _Silent(_Transaction):
    def commit(self, records: Sequence[NewRecord], offsets: Mapping[TopicPartition, int]) -> None:
        super().commit([one for one in records if one.topic != TELEMETRY.name], offsets)


class SilentBus(BreakingBus):
    """Loses every pulse."""

    broken = _Silent


class _Unfenced(_Transaction):
    def commit(self, records: Sequence[NewRecord], offsets: Mapping[TopicPartition, int]) -> None:
        self._bus.injector.point("committing", self.service)
        with self._bus._changed:
            self._bus._append(records, marker=True)
            self._state().committed.update(offsets)


class UnfencedBus(BreakingBus):
    """Takes the commits of a process whose place another has taken."""

    broken = _Unfenced


class _Backward(_Transaction):
    _commits = 0

    def commit(self, records: Sequence[NewRecord], offsets: Mapping[TopicPartition, int]) -> None:
        self._commits += self.service == "monitor"
        back = timedelta(hours=int(self.service == "monitor" and self._commits == 20))
        super().commit([_put_back(one, back) if one.topic == STEPS.name else one for one in records], offsets)


class BackwardBus(BreakingBus):
    """A journal in which one step of the monitor was an hour before the one it follows."""

    broken = _Backward


def _put_back(record: NewRecord, by: timedelta) -> NewRecord:
    entry = codec.decode(STEPS, record.value)
    return msgspec.structs.replace(record, value=codec.encode(msgspec.structs.replace(entry, now=entry.now - by)))


class _Epochless(_Transaction):
    def commit(self, records: Sequence[NewRecord], offsets: Mapping[TopicPartition, int]) -> None:
        with self._bus._changed:
            epochs, self._epoch = self._epoch, self._bus._slots[self._slot]
        try:
            super().commit(records, offsets)
        finally:
            self._epoch = epochs


class EpochlessBus(BreakingBus):
    """Takes what a process commits whose slot is another's, where it lays no claim to partitions."""

    broken = _Epochless


class _Ownerless(_Transaction):
    def commit(self, records: Sequence[NewRecord], offsets: Mapping[TopicPartition, int]) -> None:
        self._bus.injector.point("committing", self.service)
        if self._bus._slots[self._slot] != self._epoch:
            raise Fenced(self._slot)
        with self._bus._changed:
            self._bus._append(records, marker=True)
            self._state().committed.update(offsets)
        self._bus.commits.append(Commit(self._group_name, self._member, dict(offsets)))


class OwnerlessBus(BreakingBus):
    """Takes what a process commits whose partitions are another's by now."""

    broken = _Ownerless


class _Group(_Transaction):
    def seek(self, topic: str, partition: int, offset: int) -> None:
        shown = self.committed([(topic, partition)])[topic, partition]
        super().seek(topic, partition, offset if shown is None else shown)


class GroupBus(BreakingBus):
    """Begins where the group says, and not where the journal ends."""

    broken = _Group


class TrustingStore(FailingStore):
    """Takes a snapshot for what was written, whatever its checksum says."""

    def load(self, name: str) -> bytes | None:
        data = super().load(name)
        return None if data is None else hashlib.sha256(data[32:]).digest() + data[32:]
