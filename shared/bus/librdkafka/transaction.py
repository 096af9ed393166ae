"""Consume, process, produce, commit: exactly once."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import suppress

from confluent_kafka import Consumer, KafkaException, Producer, TopicPartition

from shared.bus.base import (
    REQUEST_SECONDS,
    TRANSACTION_SECONDS,
    Fenced,
    NewRecord,
    RebalanceListener,
    Record,
    refuse_too_large,
)
from shared.bus.librdkafka.clients import Clients, drain, produce
from shared.clock import monotonic
from shared.errors import Transient


class LibrdkafkaTransaction:
    """A group consumer and a transactional producer that commit together."""

    def __init__(self, clients: Clients, group: str, transactional_id: str, client_id: str) -> None:
        self._limits = clients.limits
        self._slot = transactional_id
        self._ends: dict[tuple[str, int], int] = {}
        self._paused: set[tuple[str, int]] = set()
        self._consumer = Consumer(clients.in_group(client_id, group))
        self._producer = Producer(
            clients.producing(client_id)
            | {"transactional.id": transactional_id, "transaction.timeout.ms": int(TRANSACTION_SECONDS * 1000)}
        )
        self._finish(self._producer.init_transactions)

    def subscribe(self, topics: Iterable[str], on_change: RebalanceListener) -> None:
        def assigned(consumer: Consumer, partitions: list[TopicPartition]) -> None:
            consumer.incremental_assign(partitions)
            on_change.assigned([(at.topic, at.partition) for at in partitions])

        def revoked(consumer: Consumer, partitions: list[TopicPartition]) -> None:
            gone = [(at.topic, at.partition) for at in partitions]
            on_change.revoked(gone)
            for at in gone:
                self._ends.pop(at, None)
                self._paused.discard(at)
            consumer.incremental_unassign(partitions)

        self._consumer.subscribe(list(topics), on_assign=assigned, on_revoke=revoked, on_lost=revoked)

    def poll(self, max_records: int, timeout: float) -> list[Record]:
        records, ends = drain(self._consumer, max_records, timeout)
        self._ends.update(ends)
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
        deadline = monotonic() + TRANSACTION_SECONDS
        try:
            self._producer.begin_transaction()
            for record in records:
                produce(self._producer, record, deadline)
            if offsets:
                positions = [TopicPartition(topic, partition, offset) for (topic, partition), offset in offsets.items()]
                metadata = self._consumer.consumer_group_metadata()
                self._producer.send_offsets_to_transaction(positions, metadata, REQUEST_SECONDS)
        except (KafkaException, Transient) as error:
            self._abort(error)
        self._finish(self._producer.commit_transaction)

    def committed(self, partitions: Sequence[tuple[str, int]]) -> dict[tuple[str, int], int | None]:
        asked = [TopicPartition(topic, partition) for topic, partition in partitions]
        try:
            found = self._consumer.committed(asked, timeout=TRANSACTION_SECONDS)
        except KafkaException as error:
            raise Transient(f"committed offsets of {self._slot}: {error.args[0].str()}") from error
        return {(at.topic, at.partition): at.offset if at.offset >= 0 else None for at in found}

    def close(self) -> None:
        # A static member's place is kept for its session when it closes; unsubscribing gives it up at once.
        with suppress(KafkaException, RuntimeError):  # RuntimeError: it was closed before
            self._consumer.unsubscribe()
            self._consumer.poll(0.1)
        self._consumer.close()
        # A fenced producer refuses even this; there is nothing left to send either way.
        with suppress(KafkaException):
            self._producer.flush(REQUEST_SECONDS)

    def _finish(self, call: Callable[[float], None]) -> None:
        """Repeats `call` as long as its outcome is open; ends in done, aborted, or `Fenced`."""
        deadline = monotonic() + TRANSACTION_SECONDS
        while True:
            try:
                call(REQUEST_SECONDS)
                return
            except KafkaException as error:
                if error.args[0].txn_requires_abort():
                    self._abort(error)
                if not error.args[0].retriable() or monotonic() > deadline:
                    raise Fenced(f"{self._slot}: {error.args[0].str()}") from error

    def _abort(self, cause: KafkaException | Transient) -> None:
        """Aborts and raises `Transient`, or `Fenced` where not even that is possible."""
        fatal = isinstance(cause, KafkaException) and cause.args[0].fatal()
        try:
            if not fatal:
                self._producer.abort_transaction(TRANSACTION_SECONDS)
        except KafkaException as error:
            raise Fenced(f"{self._slot}: {error.args[0].str()}") from error
        why = cause.args[0].str() if isinstance(cause, KafkaException) else str(cause)
        if fatal:
            raise Fenced(f"{self._slot}: {why}") from cause
        raise Transient(f"transaction of {self._slot} aborted: {why}") from cause
