"""The topics of an installation, as the table and the settings want them."""

from __future__ import annotations

from typing import Any

from shared.bus.base import MAX_RECORD_BYTES, TopicSpec
from shared.bus.factory import LARGEST_DEAD_LETTER
from shared.settings import CommonSettings
from shared.topics import DEAD_LETTERS, STEPS, TELEMETRY, TOPICS, Topic

_HOUR_MS = 3_600_000


def partitions_of(topic: Topic[Any], settings: CommonSettings) -> int:
    return settings.data_partitions if topic.spread else 1


def topic_specs(settings: CommonSettings) -> list[TopicSpec]:
    """Every topic to create, by its full name."""
    return [
        TopicSpec(
            settings.full_name(topic.name),
            partitions_of(topic, settings),
            settings.replication,
            _configuration(topic, settings),
        )
        for topic in TOPICS
    ]


def _configuration(topic: Topic[Any], settings: CommonSettings) -> dict[str, str]:
    retention = -1 if topic.retention_hours is None else topic.retention_hours * _HOUR_MS
    largest = LARGEST_DEAD_LETTER if topic is DEAD_LETTERS else MAX_RECORD_BYTES
    # Kafka counts a batch with its framing, the bus the record alone.
    configuration = {"retention.ms": str(retention), "max.message.bytes": str(largest + 100_000)}
    # What is acknowledged survives any one broker, and goes on being acknowledged without it.
    configuration["min.insync.replicas"] = str(max(1, settings.replication - 1))
    if topic is TELEMETRY:
        # Whether an instance still beats is no matter of its own clock, which may be hours wrong.
        configuration["message.timestamp.type"] = "LogAppendTime"
    if topic.compacted:
        # What a journaled step read must still be there when the step is replayed.
        lag = (STEPS.retention_hours or 0) * _HOUR_MS
        configuration |= {"cleanup.policy": "compact", "min.compaction.lag.ms": str(lag)}
    return configuration
