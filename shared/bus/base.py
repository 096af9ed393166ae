"""What a bus can do, whichever client is behind it.

Only the modules of this package import a Kafka client. Topic names here are full names, prefix
included (`shared.settings.CommonSettings.full_name`).
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import ClassVar, NamedTuple, Protocol

import msgspec

from shared.errors import HomeostatError, Poison, Transient

MAX_RECORD_BYTES = 1_000_000
"""The largest record (key, value and headers) a topic takes, unless the bus was told otherwise."""

MOST_HEADER_BYTES = 1_000
"""Of a record's headers, at most. Its key stands in its value too: a record of small value is small."""

ENOUGH_BYTES = 8 * 2**20
"""A poll goes on for no more once its values hold so many bytes: steps and their transactions stay bounded."""

REQUEST_SECONDS = 10.0
"""How long one request to a broker may take."""

FETCH_WAIT_MS = 100
"""How long a broker may hold a fetch that finds nothing. A seek or a resume waits for it to return."""

RANGE_FETCH_WAIT_MS = 10
"""The same where a range is read: its end is known by an empty fetch."""

TRANSACTION_SECONDS = 10.0
"""A transaction that is open for longer is aborted by the broker, so that it holds up no reader."""

FIRST_SLOT_SECONDS = 30.0
"""How long taking a slot may take: a cluster that has never had a transaction makes the topic for them first."""

DECIDED_SECONDS = TRANSACTION_SECONDS + 3.0
"""How long offsets may stay undecided: a transaction's time, and the broker's look at what is over time."""


class Record(msgspec.Struct, frozen=True, gc=False):
    """One record as read from the log. `timestamp_ms` is Kafka's, in milliseconds since the epoch."""

    topic: str
    partition: int
    offset: int
    key: bytes | None
    value: bytes
    headers: tuple[tuple[str, bytes], ...] = ()
    timestamp_ms: int = 0


class NewRecord(msgspec.Struct, frozen=True, gc=False):
    """One record to write. `partition` None: chosen by the key (murmur2, as Kafka's own clients do)."""

    topic: str
    key: bytes | None
    value: bytes
    headers: tuple[tuple[str, bytes], ...] = ()
    partition: int | None = None


@dataclass(frozen=True, slots=True)
class TopicSpec:
    """A topic to create. `config` takes Kafka's topic settings by name."""

    name: str
    partitions: int
    replication: int
    config: Mapping[str, str]


class Position(NamedTuple):
    """Topic, partition and offset."""

    topic: str
    partition: int
    offset: int


def size_of(record: NewRecord) -> int:
    """Bytes of key, value and headers together."""
    size = len(record.key or b"") + len(record.value)
    for name, value in record.headers:
        size += len(name) + len(value)
    return size


def maybe_too_large(records: Sequence[NewRecord], least_limit: int) -> list[int]:
    """Where the records stand that are worth measuring: any other is small even with its key and headers."""
    small = (least_limit - MOST_HEADER_BYTES) // 2
    return [index for index, record in enumerate(records) if len(record.value) > small]


def refuse_too_large(records: Sequence[NewRecord], limits: Mapping[str, int]) -> None:
    """`Poison` (too-large) naming the first record above its topic's limit, before any is written."""
    for index in maybe_too_large(records, min([MAX_RECORD_BYTES, *limits.values()])):
        record = records[index]
        size, limit = size_of(record), limits.get(record.topic, MAX_RECORD_BYTES)
        if size > limit:
            raise Poison(f"a record for {record.topic} has {size} bytes; at most {limit} fit", reason="too-large")


def largest_request(limits: Mapping[str, int]) -> int:
    """What a client must be able to send: the largest record of any topic, with room for framing."""
    return max([MAX_RECORD_BYTES, *limits.values()]) + 100_000


class Fenced(HomeostatError):
    """Another instance holds this slot now; nothing this process does can be committed. End it."""


class Undecided(Transient):
    """Whether offsets are committed is still open after `DECIDED_SECONDS`, though no transaction can be."""


class Producer(Protocol):
    """Writes durably (acks=all, idempotent), outside any transaction. Safe to call from many threads."""

    def send(self, records: Sequence[NewRecord], timeout: float) -> list[Position]:
        """Writes all of them and returns where each stands once it is durable.

        `Poison` (too-large) names a record that the log will never take; `Transient` means that
        within `timeout` seconds it is not known whether they were written.
        """
        ...

    def close(self) -> None: ...


class LogReader(Protocol):
    """Reads committed records by address, without a group. One thread at a time."""

    def begin_offsets(self, topic: str) -> dict[int, int]: ...

    def end_offsets(self, topic: str) -> dict[int, int]:
        """By partition, the offset after the last committed record (the last stable offset)."""
        ...

    def written_offsets(self, topic: str) -> dict[int, int]:
        """By partition, the offset after the last record written, be its transaction decided or not.

        Reading up to here waits for every transaction that is open now.
        """
        ...

    def read(self, topic: str, partition: int, start: int, stop: int, timeout: float = 30.0) -> Iterator[list[Record]]:
        """Records with start <= offset < stop, in chunks, then an end. `Transient` on no progress for `timeout` s."""
        ...

    def follow(self, positions: Mapping[tuple[str, int], int]) -> None:
        """Starts following these (topic, partition) from these offsets; replaces what was followed."""
        ...

    def poll(self, max_records: int, timeout: float) -> list[Record]:
        """Next records of what is followed: waits up to `timeout` s for the first, then takes what is there."""
        ...

    def reached(self) -> dict[tuple[str, int], int]:
        """By followed (topic, partition), the offset before which `poll` has given everything.

        Markers of transactions are passed too: an end that was there is reached, whatever stands before it.
        """
        ...

    def close(self) -> None: ...


class Transaction(Protocol):
    """Consume, process, produce, commit: exactly once. One thread.

    A group consumer and a transactional producer that commit together. `read_committed`,
    cooperative-sticky, fencing by full group metadata and by `transactional_id`.
    """

    commits_aside: ClassVar[bool]
    """Whether `commit` may go on in a second thread while this one polls. A listener then waits for its end first."""

    def subscribe(self, topics: Iterable[str], on_change: RebalanceListener) -> None: ...

    def poll(self, max_records: int, timeout: float) -> list[Record]:
        """Waits up to `timeout` s for a record, then takes what is there, up to `ENOUGH_BYTES` or a fetch more."""
        ...

    def seek(self, topic: str, partition: int, offset: int) -> None:
        """Goes on from `offset`. What was paused stays so."""
        ...

    def pause(self, topic: str, partition: int) -> None: ...

    def resume(self, topic: str, partition: int) -> None: ...

    def lag(self) -> dict[tuple[str, int], int]:
        """Records waiting per assigned (topic, partition), from what the client already knows."""
        ...

    def commit(self, records: Sequence[NewRecord], offsets: Mapping[tuple[str, int], int]) -> None:
        """One transaction: begin, write `records`, send `offsets` (next to read), commit.

        `Transient` means it was aborted and positions must be sought back; `Fenced` that another
        instance has taken over, or that its outcome is not known, and this process must end. `Poison`
        (too-large) comes before anything is written. Transactions without `offsets` are not fenced
        by the group: give at least one.
        """
        ...

    def committed(self, partitions: Sequence[tuple[str, int]]) -> dict[tuple[str, int], int | None]:
        """The group's offsets, None where there is none, once every transaction that may change them is over.

        What an earlier transaction of this slot left open is decided first. `Undecided` where Kafka calls
        offsets unstable for longer than a transaction can be open; `Transient` where it does not answer.
        """
        ...

    def close(self) -> None: ...


class RebalanceListener(Protocol):
    """Told of changed partitions between two polls, never in the middle of a step."""

    def assigned(self, partitions: Sequence[tuple[str, int]]) -> None: ...

    def revoked(self, partitions: Sequence[tuple[str, int]]) -> None: ...


class Bus(Protocol):
    """A connection's factory: each part it makes is owned and closed by whoever asked for it."""

    def producer(self, client_id: str) -> Producer: ...

    def reader(self, client_id: str) -> LogReader: ...

    def transaction(self, group: str, transactional_id: str, client_id: str) -> Transaction: ...

    def ensure_topics(self, topics: Sequence[TopicSpec], timeout: float) -> None:
        """Creates what is missing; `Misconfigured` where a topic exists with fewer partitions than asked."""
        ...

    def ping(self, timeout: float) -> None:
        """Returns when a broker answers, raises `Transient` naming the address otherwise."""
        ...

    def committed(self, group: str) -> dict[tuple[str, int], int]:
        """By (topic, partition), what the group has committed, seen from outside: without joining it.

        Where a transaction is open, what stood before it. `Transient` where no broker answers in time.
        """
        ...

    def cluster_id(self, timeout: float) -> str:
        """The cluster's own name for itself: what was saved beside one log is never used with another."""
        ...

    def close(self) -> None: ...
