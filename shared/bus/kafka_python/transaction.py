"""Consume, process, produce, commit: exactly once."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import partial
from typing import ClassVar

from kafka import (
    ConsumerGroupMetadata,
    ConsumerRebalanceListener,
    KafkaConsumer,
    OffsetAndMetadata,
    TopicPartition,
)
from kafka.errors import KafkaError, KafkaTimeoutError
from kafka.structs import MemberState

from shared.bus.base import (
    DECIDED_SECONDS,
    FIRST_SLOT_SECONDS,
    REQUEST_SECONDS,
    TRANSACTION_SECONDS,
    Fenced,
    NewRecord,
    RebalanceListener,
    Record,
    Undecided,
    refuse_too_large,
)
from shared.bus.kafka_python.clients import Clients, drain
from shared.bus.kafka_python.transactional import TransactionalProducer
from shared.clock import monotonic
from shared.errors import Transient


class KafkaPythonTransaction:
    """A group consumer and a transactional producer that commit together; the latter is replaced when a call fails.

    `leave` gives up a member's place in a group; `ping` returns where a broker answers, else raises `Transient`.
    """

    commits_aside: ClassVar[bool] = False

    def __init__(
        self,
        clients: Clients,
        group: str,
        transactional_id: str,
        client_id: str,
        leave: Callable[[str, str], None],
        ping: Callable[[float], None],
    ) -> None:
        self._limits = clients.limits
        self._slot = transactional_id
        self._leave = partial(leave, group, client_id)
        self._ping = ping
        self._changes = _Changes()
        self._listener: RebalanceListener | None = None
        self._paused: set[TopicPartition] = set()
        self._told_owned: set[TopicPartition] = set()
        self._member_id = ""  # the member that the listener's partitions were given to
        self._consumer = KafkaConsumer(**clients.in_group(client_id, group))
        self._changes.consumer = self._consumer
        self._producing = clients.producing(client_id) | {
            "transactional_id": transactional_id,
            "transaction_timeout_ms": int(TRANSACTION_SECONDS * 1000),
        }
        self._producer: TransactionalProducer | None = None
        self._in_slot(FIRST_SLOT_SECONDS)

    def subscribe(self, topics: Iterable[str], on_change: RebalanceListener) -> None:
        self._listener = on_change
        self._consumer.subscribe(list(topics), listener=self._changes)

    def poll(self, max_records: int, timeout: float) -> list[Record]:
        try:
            records = drain(self._consumer, max_records, timeout)
        except KafkaTimeoutError:
            records = []
        self._find_silent_loss()
        if self._changes.told:
            owned = self._tell_changes()
            records = [record for record in records if (record.topic, record.partition) in owned]
        return records

    def seek(self, topic: str, partition: int, offset: int) -> None:
        self._consumer.seek(TopicPartition(topic, partition), offset)

    def pause(self, topic: str, partition: int) -> None:
        self._paused.add(TopicPartition(topic, partition))
        self._consumer.pause(TopicPartition(topic, partition))

    def resume(self, topic: str, partition: int) -> None:
        self._paused.discard(TopicPartition(topic, partition))
        self._consumer.resume(TopicPartition(topic, partition))

    def lag(self) -> dict[tuple[str, int], int]:
        lag = {}
        for at in self._consumer.assignment():
            end, position = self._consumer.highwater(at), self._consumer.position(at, timeout_ms=100)
            if end is not None and position is not None:
                lag[at.topic, at.partition] = max(0, end - position)
        return lag

    def commit(self, records: Sequence[NewRecord], offsets: Mapping[tuple[str, int], int]) -> None:
        refuse_too_large(records, self._limits)
        membership = self._membership() if offsets else None
        producer = self._in_slot()
        deadline = monotonic() + TRANSACTION_SECONDS
        try:
            producer.begin_transaction()
            for one in records:
                producer.send(one.topic, one.value, one.key, list(one.headers), one.partition)
            if membership is not None:
                positions = {TopicPartition(*at): OffsetAndMetadata(offset, "", -1) for at, offset in offsets.items()}
                producer.send_offsets(positions, membership, deadline)
            producer.commit(deadline)
        except KafkaError as error:
            self._producer = None
            raise self._abandoned(producer, error, "transaction failed") from error

    def committed(self, partitions: Sequence[tuple[str, int]]) -> dict[tuple[str, int], int | None]:
        self._in_slot()
        deadline = monotonic() + DECIDED_SECONDS
        try:
            return {
                at: self._consumer.committed(TopicPartition(*at), timeout_ms=_left_ms(deadline)) for at in partitions
            }
        except KafkaTimeoutError as error:
            self._ping(REQUEST_SECONDS)  # where a broker answers, it is the offsets that are open
            raise Undecided(f"committed offsets of {self._slot}: {error}") from error
        except KafkaError as error:
            raise Transient(f"committed offsets of {self._slot}: {type(error).__name__}: {error}") from error

    def close(self) -> None:
        # A static member's place is kept for its session when it closes; only the administration can give it up.
        self._leave()
        self._consumer.close(autocommit=False, timeout_ms=int(REQUEST_SECONDS * 1000))
        if self._producer is not None:
            self._producer.abandon()  # nothing of it is open between two commits

    def _membership(self) -> ConsumerGroupMetadata:
        """The full membership. A bare group id would be taken too, and would fence nobody."""
        metadata = self._consumer.group_metadata()
        if not isinstance(metadata, ConsumerGroupMetadata):
            raise TypeError(f"the group's metadata is a {type(metadata).__name__}: transactions would not be fenced")
        # Kafka takes offsets of no generation from anybody while a group is empty.
        if not metadata.member_id or metadata.generation_id < 0:
            raise Transient(f"{self._slot} is not a member of its group at present")
        if metadata.member_id != self._member_id:
            raise Transient(f"{self._slot} has lost its place in its group and joins it anew")
        return metadata

    def _in_slot(self, seconds: float = TRANSACTION_SECONDS) -> TransactionalProducer:
        """The producer that holds the slot; after a failure a new one takes it."""
        if self._producer is None:
            deadline = monotonic() + seconds
            try:
                producer = TransactionalProducer(**self._producing)
            except KafkaError as error:
                raise Transient(f"{self._slot}: no Kafka broker answers: {type(error).__name__}: {error}") from error
            try:
                producer.take_slot(deadline)
            except KafkaError as error:
                raise self._abandoned(producer, error, "Kafka gives no transactions") from error
            self._producer = producer
        return self._producer

    def _abandoned(self, producer: TransactionalProducer, error: KafkaError, what: str) -> Fenced | Transient:
        """What to raise for `error` once the producer is gone."""
        fenced = producer.fenced_by(error)
        producer.abandon()
        return (Fenced if fenced else Transient)(f"{self._slot}: {what}: {type(error).__name__}: {error}")

    def _find_silent_loss(self) -> None:
        """A member that is expelled while it joins joins anew, as another, and the client tells nothing of the loss:
        what it owns then may have been another's meanwhile.
        """
        metadata = self._consumer.group_metadata()
        if metadata.state is not MemberState.STABLE or metadata.member_id == self._member_id:
            return
        self._member_id = metadata.member_id
        kept = self._told_owned.difference(*(partitions for assigned, partitions in self._changes.told if not assigned))
        if kept:
            self._changes.told.insert(0, (False, sorted(kept)))
            self._changes.on_partitions_assigned(kept & self._consumer.assignment())

    def _tell_changes(self) -> set[tuple[str, int]]:
        """Passes on what changed, in this thread; returns the partitions that are owned now."""
        told, self._changes.told = self._changes.told, []
        for assigned, partitions in told:
            places = [(at.topic, at.partition) for at in partitions]
            (self._told_owned.update if assigned else self._told_owned.difference_update)(partitions)
            if self._listener is not None and assigned:
                self._listener.assigned(places)
            elif self._listener is not None:
                self._listener.revoked(places)
                self._paused.difference_update(partitions)
        owned = self._consumer.assignment()
        self._consumer.resume(*(owned - self._paused))
        return {(at.topic, at.partition) for at in owned - self._paused}


class _Changes(ConsumerRebalanceListener):  # type: ignore[misc]
    """Keeps what the client tells on its own thread until `poll` passes it on. New partitions stand still till then."""

    def __init__(self) -> None:
        self.told: list[tuple[bool, list[TopicPartition]]] = []
        self.consumer: KafkaConsumer | None = None

    def on_partitions_assigned(self, assigned: Iterable[TopicPartition]) -> None:
        partitions = sorted(assigned)
        if partitions and self.consumer is not None:
            self.consumer.pause(*partitions)
            self.told.append((True, partitions))

    def on_partitions_revoked(self, revoked: Iterable[TopicPartition]) -> None:
        partitions = sorted(revoked)
        if partitions:
            self.told.append((False, partitions))


def _left_ms(deadline: float) -> int:
    """What a call gets: enough to say what happened even where the time is over."""
    return max(100, int((deadline - monotonic()) * 1000))
