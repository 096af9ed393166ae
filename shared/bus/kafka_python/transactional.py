"""A transactional producer whose every call ends."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from kafka import ConsumerGroupMetadata, KafkaProducer, OffsetAndMetadata, TopicPartition
from kafka.errors import FencedInstanceIdError, KafkaError, KafkaTimeoutError, ProducerFencedError

from shared.clock import monotonic


class TransactionalProducer(KafkaProducer):  # type: ignore[misc]
    """Deadlines are in monotonic seconds. `KafkaTimeoutError` where one has passed: what was asked for is open then.

    The client's own calls wait without limit when a broker dies, its abort among them. Who sees a call
    fail abandons the producer: the next one that takes the slot makes the broker decide what was left open.
    """

    def take_slot(self, deadline: float) -> None:
        """Ends what the slot's last holder left open, and fences it."""
        while True:
            try:
                self.init_transactions()
                return
            except KafkaTimeoutError:
                if monotonic() > deadline:
                    raise

    def send_offsets(
        self,
        offsets: Mapping[TopicPartition, OffsetAndMetadata],
        membership: ConsumerGroupMetadata,
        deadline: float,
    ) -> None:
        """The offsets become part of the transaction, fenced by the full membership."""
        self._wait_for(self._transaction_manager.send_offsets_to_transaction(offsets, membership), deadline)

    def commit(self, deadline: float) -> None:
        """Everything of the transaction is durable and visible on return."""
        self._wait_for(self._transaction_manager.begin_commit(), deadline)

    def fenced_by(self, error: KafkaError) -> bool:
        """Whether `error` comes of another instance that has taken this one's place."""
        causes = (error, self._transaction_manager.last_error)
        return any(isinstance(cause, (ProducerFencedError, FencedInstanceIdError)) for cause in causes)

    def abandon(self) -> None:
        """Ends its thread and connections without waiting for anything."""
        self._unregister_cleanup()
        self._closed = True
        self._sender.force_close()

    def _wait_for(self, result: Any, deadline: float) -> None:
        self._sender.wakeup()
        if not result.wait(timeout_ms=max(0.0, deadline - monotonic()) * 1000):
            raise KafkaTimeoutError("no answer of the transaction's coordinator in time")
