"""The log in memory: partitions, groups and transactions by Kafka's rules, for tests and simulation.

Deterministic when driven from one thread, safe from many. Like Kafka it leaves a gap of one offset
after each transaction, hands partitions over only once their owner has let go, and fences by
transactional id and by group membership.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import ClassVar

from shared.bus.base import (
    ENOUGH_BYTES,
    Fenced,
    NewRecord,
    Position,
    RebalanceListener,
    Record,
    TopicSpec,
    refuse_too_large,
)
from shared.bus.partitioner import partition_of
from shared.clock import monotonic
from shared.errors import Misconfigured, Transient

TopicPartition = tuple[str, int]


@dataclass(slots=True)
class _Log:
    """One partition: its records, None where a transaction's marker stands. `end` is after its last record."""

    entries: list[Record | None] = field(default_factory=list)
    end: int = 0

    def __len__(self) -> int:
        return len(self.entries)


@dataclass(slots=True)
class _Group:
    """Who is in a group, who owns what, and what is committed. `changes` counts those of members and owners."""

    members: dict[str, tuple[str, ...]] = field(default_factory=dict)
    owners: dict[TopicPartition, str] = field(default_factory=dict)
    committed: dict[TopicPartition, int] = field(default_factory=dict)
    changes: int = 0


class MemoryBus:
    """A whole cluster in one object. `clock_ms` stamps records; the default stamps 0.

    `readers` and `transactions` are what it hands out: a cluster that fails has others.
    """

    def __init__(self, clock_ms: Callable[[], int] = lambda: 0, limits: Mapping[str, int] | None = None) -> None:
        self.limits = dict(limits or {})
        self.clock_ms = clock_ms
        self._changed = threading.Condition(threading.RLock())
        self._logs: dict[str, list[_Log]] = {}
        self._written: dict[str, list[Record]] = {}
        self._groups: dict[str, _Group] = {}
        self._slots: dict[str, int] = {}
        self._unkeyed = 0
        self.readers: type[MemoryReader] = MemoryReader
        self.transactions: type[MemoryTransaction] = MemoryTransaction

    def producer(self, client_id: str) -> MemoryProducer:
        return MemoryProducer(self)

    def reader(self, client_id: str) -> MemoryReader:
        return self.readers(self)

    def transaction(self, group: str, transactional_id: str, client_id: str) -> MemoryTransaction:
        """Takes the slot: whoever held `transactional_id` before is fenced and out of the group."""
        with self._changed:
            self._slots[transactional_id] = epoch = self._slots.get(transactional_id, 0) + 1
            self._leave(group, f"{transactional_id}/{epoch - 1}")
            return self.transactions(self, group, transactional_id, epoch)

    def ensure_topics(self, topics: Sequence[TopicSpec], timeout: float) -> None:
        with self._changed:
            for spec in topics:
                log = self._logs.setdefault(spec.name, [_Log() for _ in range(spec.partitions)])
                if len(log) < spec.partitions:
                    raise Misconfigured(f"topic {spec.name} has {len(log)} partitions, {spec.partitions} are asked for")

    def ping(self, timeout: float) -> None:
        """Always there."""

    def cluster_id(self, timeout: float) -> str:
        return "memory"

    def close(self) -> None:
        """Nothing to let go: the log lives as long as the object."""

    def committed(self, group: str) -> dict[TopicPartition, int]:
        """What the group has committed."""
        with self._changed:
            return dict(self._group(group).committed)

    def records(self, topic: str) -> list[Record]:
        """Every record of the topic in the order written, over all partitions."""
        with self._changed:
            return list(self._written.get(topic, ()))

    def expel(self, group: str, transactional_id: str) -> None:
        """The member's session has expired: its partitions go to others, its commits are refused."""
        with self._changed:
            self._leave(group, f"{transactional_id}/{self._slots[transactional_id]}")

    # -- what the parts below are made of; all of it under the lock

    def _log(self, topic: str) -> list[_Log]:
        if topic not in self._logs:
            raise Misconfigured(f"topic {topic} does not exist: call ensure_topics first")
        return self._logs[topic]

    def _append(self, records: Sequence[NewRecord], *, marker: bool) -> list[Position]:
        refuse_too_large(records, self.limits)
        logs = [self._log(record.topic) for record in records]
        positions = [self._append_one(record, log) for record, log in zip(records, logs, strict=True)]
        if marker:
            for topic, partition in dict.fromkeys((p.topic, p.partition) for p in positions):
                self._logs[topic][partition].entries.append(None)
        self._changed.notify_all()
        return positions

    def _append_one(self, new: NewRecord, log: list[_Log]) -> Position:
        partition = new.partition
        if partition is None and new.key is not None:
            partition = partition_of(new.key, len(log))
        elif partition is None:
            partition, self._unkeyed = self._unkeyed % len(log), self._unkeyed + 1
        offset = len(log[partition])
        record = Record(new.topic, partition, offset, new.key, new.value, tuple(new.headers), self.clock_ms())
        log[partition].entries.append(record)
        log[partition].end = offset + 1
        self._written.setdefault(new.topic, []).append(record)
        return Position(new.topic, partition, offset)

    def _from(self, topic: str, partition: int, offset: int, most: int, stop: int | None = None) -> list[Record]:
        found: list[Record] = []
        taken = 0
        log = self._log(topic)[partition]
        for at in range(offset, log.end if stop is None else min(stop, log.end)):
            record = log.entries[at]
            if record is not None:
                found.append(record)
                taken += len(record.value)
                if len(found) == most or (stop is None and taken >= ENOUGH_BYTES):
                    break
        return found

    def _end(self, at: TopicPartition) -> int:
        return self._log(at[0])[at[1]].end

    def _group(self, name: str) -> _Group:
        return self._groups.setdefault(name, _Group())

    def _leave(self, group: str, member: str) -> None:
        state = self._group(group)
        state.changes += 1
        state.members.pop(member, None)
        state.owners = {at: owner for at, owner in state.owners.items() if owner != member}

    def _target(self, group: str) -> dict[TopicPartition, str]:
        """Who should own what: partition p of every topic goes to the same member."""
        state, target = self._group(group), {}
        for topic in sorted({topic for topics in state.members.values() for topic in topics}):
            members = sorted(member for member, topics in state.members.items() if topic in topics)
            for partition in range(len(self._log(topic))):
                target[topic, partition] = members[partition % len(members)]
        return target


class MemoryProducer:
    def __init__(self, bus: MemoryBus) -> None:
        self._bus = bus

    def send(self, records: Sequence[NewRecord], timeout: float) -> list[Position]:
        with self._bus._changed:
            return self._bus._append(records, marker=False)

    def close(self) -> None:
        """Nothing is held."""


class _Cursor:
    """Positions in the log, and the taking of records from them in turn."""

    def __init__(self, bus: MemoryBus) -> None:
        self._bus = bus
        self._positions: dict[TopicPartition, int] = {}
        self._paused: set[TopicPartition] = set()
        self._first = 0

    def take(self, most: int) -> list[Record]:
        """Up to `most` records, beginning with another partition each time, so that none starves."""
        self._first += 1
        if not self._anything():
            return []
        flowing = sorted(self._positions.keys() - self._paused)
        found: list[Record] = []
        for turn in range(len(flowing)):
            at = flowing[(self._first - 1 + turn) % len(flowing)]
            if len(found) < most:
                records = self._bus._from(*at, self._positions[at], most - len(found))
                if records:
                    self._positions[at] = records[-1].offset + 1
                    found += records
        return found

    def _anything(self) -> bool:
        """Asked at every idle poll, which is most of them."""
        end, paused = self._bus._end, self._paused
        return any(offset < end(at) for at, offset in self._positions.items() if at not in paused)

    def wait(self, most: int, timeout: float) -> list[Record]:
        deadline = monotonic() + timeout
        while not (found := self.take(most)):
            left = deadline - monotonic()
            if left <= 0 or not self._bus._changed.wait(left):
                return self.take(most)
        return found


class MemoryReader:
    def __init__(self, bus: MemoryBus) -> None:
        self._bus = bus
        self._cursor = _Cursor(bus)

    def begin_offsets(self, topic: str) -> dict[int, int]:
        with self._bus._changed:
            return dict.fromkeys(range(len(self._bus._log(topic))), 0)

    def end_offsets(self, topic: str) -> dict[int, int]:
        with self._bus._changed:
            return {partition: len(log) for partition, log in enumerate(self._bus._log(topic))}

    def written_offsets(self, topic: str) -> dict[int, int]:
        return self.end_offsets(topic)

    def read(self, topic: str, partition: int, start: int, stop: int, timeout: float = 30.0) -> Iterator[list[Record]]:
        with self._bus._changed:
            end = len(self._bus._log(topic)[partition])
            while end < stop:
                if not self._bus._changed.wait(timeout):
                    raise Transient(f"{topic}[{partition}] ends at {end}, before {stop}, for {timeout:g} s")
                end = len(self._bus._log(topic)[partition])
        while True:
            with self._bus._changed:
                records = self._bus._from(topic, partition, start, 1000, stop)
            if not records:
                return
            start = records[-1].offset + 1
            yield records

    def follow(self, positions: Mapping[tuple[str, int], int]) -> None:
        self._cursor._positions = dict(positions)

    def poll(self, max_records: int, timeout: float) -> list[Record]:
        with self._bus._changed:
            return self._cursor.wait(max_records, timeout)

    def reached(self) -> dict[tuple[str, int], int]:
        with self._bus._changed:
            return {at: self._past_markers(*at, offset) for at, offset in self._cursor._positions.items()}

    def _past_markers(self, topic: str, partition: int, offset: int) -> int:
        log = self._bus._log(topic)[partition]
        return len(log) if offset >= log.end else offset

    def close(self) -> None:
        """Nothing is held."""


class MemoryTransaction:
    commits_aside: ClassVar[bool] = False

    def __init__(self, bus: MemoryBus, group: str, transactional_id: str, epoch: int) -> None:
        self._bus = bus
        self._group_name = group
        self._slot = transactional_id
        self._epoch = epoch
        self._member = f"{transactional_id}/{epoch}"
        self._cursor = _Cursor(bus)
        self._listener: RebalanceListener | None = None
        self._topics: tuple[str, ...] = ()
        self._settled = -1

    def subscribe(self, topics: Iterable[str], on_change: RebalanceListener) -> None:
        with self._bus._changed:
            self._topics, self._listener = tuple(topics), on_change
            self._state().members[self._member] = self._topics
            self._state().changes += 1

    def poll(self, max_records: int, timeout: float) -> list[Record]:
        with self._bus._changed:
            self._rebalance()
            return self._cursor.wait(max_records, timeout)

    def seek(self, topic: str, partition: int, offset: int) -> None:
        self._cursor._positions[topic, partition] = offset

    def pause(self, topic: str, partition: int) -> None:
        self._cursor._paused.add((topic, partition))

    def resume(self, topic: str, partition: int) -> None:
        self._cursor._paused.discard((topic, partition))

    def lag(self) -> dict[tuple[str, int], int]:
        with self._bus._changed:
            positions = self._cursor._positions.items()
            return {at: len(self._bus._from(*at, offset, -1)) for at, offset in positions}

    def commit(self, records: Sequence[NewRecord], offsets: Mapping[tuple[str, int], int]) -> None:
        with self._bus._changed:
            if self._bus._slots[self._slot] != self._epoch:
                raise Fenced(f"{self._slot} has been taken over")
            state = self._state()
            lost = [at for at in offsets if state.owners.get(at) != self._member]
            if lost:
                raise Transient(f"{self._member} no longer owns {lost[0][0]}[{lost[0][1]}]")
            self._bus._append(records, marker=True)
            state.committed.update(offsets)

    def committed(self, partitions: Sequence[tuple[str, int]]) -> dict[tuple[str, int], int | None]:
        with self._bus._changed:
            return {at: self._state().committed.get(at) for at in partitions}

    def close(self) -> None:
        with self._bus._changed:
            self._bus._leave(self._group_name, self._member)

    def _state(self) -> _Group:
        return self._bus._group(self._group_name)

    def _rebalance(self) -> None:
        """Lets go of what is no longer its own, then takes what is free, as cooperative-sticky does."""
        if self._listener is None:
            return
        state = self._state()
        if self._settled == state.changes:
            return
        if self._member not in state.members and self._bus._slots[self._slot] == self._epoch:
            state.members[self._member] = self._topics
            state.changes += 1
        target = self._bus._target(self._group_name)
        held = sorted(self._cursor._positions)
        revoked = [at for at in held if target.get(at) != self._member or state.owners.get(at) != self._member]
        if revoked:
            self._listener.revoked(revoked)
        for at in revoked:
            self._cursor._positions.pop(at)
            self._cursor._paused.discard(at)
            if state.owners.get(at) == self._member:
                del state.owners[at]
        assigned = sorted(at for at, to in target.items() if to == self._member and at not in state.owners)
        for at in assigned:
            state.owners[at] = self._member
            self._cursor._positions[at] = state.committed.get(at, 0)
        if assigned:
            self._listener.assigned(assigned)
        if revoked or assigned:
            state.changes += 1
        else:
            self._settled = state.changes
