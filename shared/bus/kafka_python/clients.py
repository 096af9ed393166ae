"""How every kafka-python client is set up, and what consuming means here."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from kafka import KafkaConsumer
from kafka.coordinator.assignors.cooperative_sticky import CooperativeStickyAssignor
from kafka.errors import UnstableOffsetCommitError

from shared.bus.base import (
    ENOUGH_BYTES,
    FETCH_WAIT_MS,
    REQUEST_SECONDS,
    TRANSACTION_SECONDS,
    Record,
    largest_request,
)
from shared.clock import monotonic

_REQUEST_MS = int(REQUEST_SECONDS * 1000)


@dataclass(frozen=True, slots=True)
class Clients:
    """Where the cluster is, and the settings of each kind of client."""

    bootstrap_servers: str
    session_timeout_ms: int
    limits: Mapping[str, int]

    def common(self, client_id: str) -> dict[str, Any]:
        """What every client is told."""
        return {
            "bootstrap_servers": self.bootstrap_servers.split(","),
            "client_id": client_id,
            "request_timeout_ms": _REQUEST_MS,
            "bootstrap_timeout_ms": _REQUEST_MS,
            "reconnect_backoff_max_ms": 1000,
            "retry_backoff_ms": 2,
        }

    def consuming(self, client_id: str, fetch_wait_ms: int = FETCH_WAIT_MS) -> dict[str, Any]:
        """What every consumer is told."""
        return self.common(client_id) | {
            "metrics_enabled": False,
            "enable_auto_commit": False,
            "isolation_level": "read_committed",
            "auto_offset_reset": "earliest",
            "allow_auto_create_topics": False,
            "fetch_max_wait_ms": fetch_wait_ms,
            "max_partition_fetch_bytes": largest_request(self.limits),
        }

    def in_group(self, client_id: str, group: str) -> dict[str, Any]:
        """What a member of a group is told."""
        return self.consuming(client_id) | {
            "group_id": group,
            "group_instance_id": client_id,
            "partition_assignment_strategy": (CooperativeStickyAssignor(),),
            "session_timeout_ms": self.session_timeout_ms,
            "heartbeat_interval_ms": max(100, self.session_timeout_ms // 5),
            "max_poll_interval_ms": 300_000,
            # The request that waits for the others of the group must outlast their session.
            "request_timeout_ms": max(_REQUEST_MS, self.session_timeout_ms + 5_000),
        }

    def producing(self, client_id: str) -> dict[str, Any]:
        """What every producer is told. Its default partitioner is Kafka's murmur2."""
        return self.common(client_id) | {
            "metrics_enabled": False,
            "acks": "all",
            "enable_idempotence": True,
            "linger_ms": 1,
            "batch_size": 131_072,
            "max_request_size": largest_request(self.limits),
            "max_block_ms": _REQUEST_MS,
            # Delivery must outlast a request, and end within a transaction's time.
            "request_timeout_ms": int(TRANSACTION_SECONDS * 1000) - 2000,
            "delivery_timeout_ms": int(TRANSACTION_SECONDS * 1000) - 1000,
            "allow_auto_create_topics": False,
        }


def drain(consumer: KafkaConsumer, most: int, timeout: float) -> list[Record]:
    """Waits for one record, then takes what is there."""
    deadline = monotonic() + timeout
    records = _polled(consumer, most, timeout)
    while 0 < len(records) < most and monotonic() < deadline + timeout:
        more = _polled(consumer, most - len(records), 0.0)
        if not more:
            break
        records += more
        if sum(len(record.value) for record in records) >= ENOUGH_BYTES:
            break
    return records


def _polled(consumer: KafkaConsumer, most: int, timeout: float) -> list[Record]:
    return [
        Record(
            record.topic,
            record.partition,
            record.offset,
            record.key,
            record.value or b"",
            tuple(record.headers or ()),
            record.timestamp,
        )
        for found in consumer.poll(timeout_ms=int(timeout * 1000), max_records=most).values()
        for record in found
    ]


def _of_what_failed(line: logging.LogRecord) -> bool:
    """Offsets of an open transaction are asked for again, hundreds of times a second, each time as an unknown error."""
    return not (isinstance(line.args, tuple) and any(isinstance(one, UnstableOffsetCommitError) for one in line.args))


logging.getLogger("kafka.coordinator.consumer").addFilter(_of_what_failed)
