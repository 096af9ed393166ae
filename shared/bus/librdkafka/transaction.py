"""Consume, process, produce, commit: exactly once."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import suppress
from typing import ClassVar

from confluent_kafka import Consumer, KafkaError, KafkaException, Producer, TopicPartition

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
from shared.bus.librdkafka.clients import Clients, drain, produce
from shared.bus.librdkafka.in_time import in_time
from shared.clock import monotonic
from shared.errors import Transient

SHORTEST_SECONDS = 0.1
"""What a call gets whose time is over: enough to say what happened."""

_FENCED = {KafkaError._FENCED, KafkaError.PRODUCER_FENCED, KafkaError.INVALID_PRODUCER_EPOCH}
"""Of the slot. A member of the group that is fenced hears of it from its consumer."""


class LibrdkafkaTransaction:
    """A group consumer and a transactional producer that commit together.

    A producer whose transaction failed is thrown away: after a broker's death librdkafka's own abort may
    hang for ever. The next one takes the slot anew, and with that the broker decides what was left open.
    """

    commits_aside: ClassVar[bool] = True

    def __init__(self, clients: Clients, group: str, transactional_id: str, client_id: str) -> None:
        self._limits = clients.limits
        self._slot = transactional_id
        self._ends: dict[tuple[str, int], int] = {}
        self._paused: set[tuple[str, int]] = set()
        self._consumer = Consumer(clients.in_group(client_id, group))
        self._producing = clients.producing(client_id) | {
            "transactional.id": transactional_id,
            "transaction.timeout.ms": int(TRANSACTION_SECONDS * 1000),
            "linger.ms": 20,  # a commit sends at once what waits; meanwhile a few large batches cost all less than many
        }
        self._producer: Producer | None = None
        self._membership: object = self._consumer.consumer_group_metadata()
        self._stale = False  # after a failure, until the next poll asks for the membership anew
        self._in_slot(FIRST_SLOT_SECONDS)

    def subscribe(self, topics: Iterable[str], on_change: RebalanceListener) -> None:
        # A commit that goes on meanwhile is fenced by the membership before: the listener waits for its end.
        def assigned(consumer: Consumer, partitions: list[TopicPartition]) -> None:
            consumer.incremental_assign(partitions)
            on_change.assigned([(at.topic, at.partition) for at in partitions])
            self._membership = consumer.consumer_group_metadata()

        def revoked(consumer: Consumer, partitions: list[TopicPartition]) -> None:
            gone = [(at.topic, at.partition) for at in partitions]
            on_change.revoked(gone)
            self._membership = consumer.consumer_group_metadata()
            for at in gone:
                self._ends.pop(at, None)
                self._paused.discard(at)
            consumer.incremental_unassign(partitions)

        self._consumer.subscribe(list(topics), on_assign=assigned, on_revoke=revoked, on_lost=revoked)

    def poll(self, max_records: int, timeout: float) -> list[Record]:
        records, ends = drain(self._consumer, max_records, timeout)
        self._ends.update(ends)
        if self._stale:
            self._stale = False
            self._membership = self._consumer.consumer_group_metadata()
        return records

    def seek(self, topic: str, partition: int, offset: int) -> None:
        # An assignment takes effect in the background; assigning again with an offset always works.
        at = [TopicPartition(topic, partition, offset)]
        self._consumer.incremental_unassign(at)
        self._consumer.incremental_assign(at)
        if (topic, partition) in self._paused:
            self._consumer.pause(at)

    def pause(self, topic: str, partition: int) -> None:
        self._paused.add((topic, partition))
        self._consumer.pause([TopicPartition(topic, partition)])

    def resume(self, topic: str, partition: int) -> None:
        self._paused.discard((topic, partition))
        self._consumer.resume([TopicPartition(topic, partition)])

    def lag(self) -> dict[tuple[str, int], int]:
        lag = {}
        for at in self._consumer.position(self._consumer.assignment()):
            known = self._consumer.get_watermark_offsets(at, cached=True)
            place = (at.topic, at.partition)
            # Behind the last record stand transaction markers: the end that was reached counts.
            reached = max(at.offset, self._ends.get(place, 0))
            if known is not None and known[1] >= 0 and reached >= 0:
                lag[place] = max(0, known[1] - reached)
        return lag

    def commit(self, records: Sequence[NewRecord], offsets: Mapping[tuple[str, int], int]) -> None:
        refuse_too_large(records, self._limits)
        producer = self._in_slot()
        deadline = monotonic() + TRANSACTION_SECONDS
        try:
            producer.begin_transaction()
            produce(producer, records, deadline)
            if offsets:
                positions = [TopicPartition(topic, partition, offset) for (topic, partition), offset in offsets.items()]
                # librdkafka joins a new generation behind our back, while we still write for partitions that it
                # has given to others. The membership we were last told of is the one that is fenced by then. It is
                # not asked for here: aside, the consumer would answer only when its poll is over.
                membership = self._membership
                in_time(lambda: producer.send_offsets_to_transaction(positions, membership, _left(deadline)), deadline)
            _repeat(producer.commit_transaction, deadline)
        except (KafkaException, Transient) as error:
            self._producer, self._stale = None, True
            why = self._unless_fenced(error)
            raise Transient(f"transaction of {self._slot} failed: {why}") from error

    def committed(self, partitions: Sequence[tuple[str, int]]) -> dict[tuple[str, int], int | None]:
        self._in_slot()
        asked = [TopicPartition(topic, partition) for topic, partition in partitions]
        try:
            found = self._consumer.committed(asked, timeout=DECIDED_SECONDS)
        except KafkaException as error:
            why = f"committed offsets of {self._slot}: {error.args[0].str()}"
            if error.args[0].code() == KafkaError._TIMED_OUT:
                self._refuse_silence(why)
            raise Transient(why) from error
        return {(at.topic, at.partition): at.offset if at.offset >= 0 else None for at in found}

    def close(self) -> None:
        # A static member's place is kept for its session when it closes; unsubscribing gives it up at once.
        with suppress(KafkaException, RuntimeError):  # RuntimeError: it was closed before
            self._consumer.unsubscribe()
            self._consumer.poll(0.1)
        self._consumer.close()
        self._producer = None

    def _in_slot(self, seconds: float = TRANSACTION_SECONDS) -> Producer:
        """The producer that holds the slot; after a failure a new one takes it."""
        if self._producer is None:
            producer = Producer(self._producing)
            try:
                _repeat(producer.init_transactions, monotonic() + seconds)
            except KafkaException as error:
                why = self._unless_fenced(error)
                raise Transient(f"{self._slot}: Kafka gives no transactions: {why}") from error
            self._producer = producer
        return self._producer

    def _refuse_silence(self, why: str) -> None:
        """`Undecided` where a broker answers: then it is the offsets that are open. `Transient` where none does."""
        try:
            self._consumer.list_topics(timeout=REQUEST_SECONDS)
        except KafkaException as error:
            raise Transient(f"{why}, and no broker answers: {error.args[0].str()}") from error
        raise Undecided(why)

    def _unless_fenced(self, error: KafkaException | Transient) -> str:
        """What the error says; `Fenced` where it says that another instance has taken over."""
        if isinstance(error, Transient):
            return str(error)
        cause: KafkaError = error.args[0]
        if cause.code() in _FENCED:
            raise Fenced(f"{self._slot}: {cause.str()}") from error
        return cause.str()


def _repeat(call: Callable[[float], object], deadline: float) -> None:
    """Repeats `call` for as long as its outcome is open and there is time."""
    while True:
        try:
            call(_left(deadline))
            return
        except KafkaException as error:
            if not error.args[0].retriable() or monotonic() > deadline:
                raise


def _left(deadline: float) -> float:
    return max(SHORTEST_SECONDS, deadline - monotonic())
