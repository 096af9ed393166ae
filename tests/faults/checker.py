"""What stands on the topics, read with a Kafka client of its own: committed records only."""

from __future__ import annotations

import json
from typing import Any

from confluent_kafka import Consumer, KafkaError, TopicPartition


def committed(bootstrap: str, topic: str) -> list[dict[str, Any]]:
    """Every committed record of `topic` as decoded JSON, oldest first within a partition."""
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
        partitions = consumer.list_topics(topic, timeout=10).topics[topic].partitions
        consumer.assign([TopicPartition(topic, partition, 0) for partition in partitions])
        found: list[dict[str, Any]] = []
        ended: set[int] = set()
        while ended != set(partitions):
            record = consumer.poll(10)
            assert record is not None, f"{topic}: no end within 10 s"
            error = record.error()
            if error is None:
                found.append(json.loads(record.value() or b""))
            else:
                assert error.code() == KafkaError._PARTITION_EOF, error
                ended.add(record.partition() or 0)
        return found
    finally:
        consumer.close()
