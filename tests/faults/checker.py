"""What stands on the topics, read with a Kafka client of its own: committed records only."""

from __future__ import annotations

import json
from typing import Any

from confluent_kafka import Consumer, KafkaError, TopicPartition

from shared.clock import monotonic

DECIDED_SECONDS = 60.0
"""A transaction whose owner is gone hides what follows it until the broker aborts it."""


def committed(bootstrap: str, topic: str) -> list[dict[str, Any]]:
    """Every committed record of `topic` as decoded JSON, oldest first within a partition.

    Reads to what is written now, so it waits for transactions that are not decided yet.
    """
    consumer = Consumer(
        {
            "bootstrap.servers": bootstrap,
            "group.id": "checker",
            "isolation.level": "read_committed",
            "enable.auto.commit": False,
            "enable.partition.eof": True,
        }
    )
    try:
        ends = _written(bootstrap, topic)
        consumer.assign([TopicPartition(topic, partition, 0) for partition in ends])
        found: list[dict[str, Any]] = []
        open_ends, deadline = dict(ends), monotonic() + DECIDED_SECONDS
        while open_ends:
            assert monotonic() < deadline, f"{topic}: not read within {DECIDED_SECONDS:g} s up to {open_ends}"
            record = consumer.poll(1)
            if record is None:
                continue
            error = record.error()
            if error is None:
                found.append(json.loads(record.value() or b""))
                continue
            assert error.code() == KafkaError._PARTITION_EOF, error
            partition = record.partition() or 0
            if (record.offset() or 0) >= ends[partition]:
                open_ends.pop(partition, None)
        return found
    finally:
        consumer.close()


def _written(bootstrap: str, topic: str) -> dict[int, int]:
    """By partition, the offset after the last record written, decided or not."""
    consumer = Consumer({"bootstrap.servers": bootstrap, "group.id": "checker", "isolation.level": "read_uncommitted"})
    try:
        partitions = consumer.list_topics(topic, timeout=10).topics[topic].partitions
        return {at: consumer.get_watermark_offsets(TopicPartition(topic, at), timeout=10)[1] for at in partitions}
    finally:
        consumer.close()
