"""Committed records of a topic, read to its end as of now."""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

from confluent_kafka import Consumer, KafkaError, KafkaException, TopicPartition
from confluent_kafka.admin import AdminClient

from shared.clock import monotonic
from shared.errors import Transient

ANSWER_SECONDS = 10.0
DECIDED_SECONDS = 60.0
"""A transaction whose owner died hides what follows it until the broker ends it."""

POLL_SECONDS = 0.1
"""A batch that is not full waits so long for more: at least once a topic."""


class Found(NamedTuple):
    """One committed record. `timestamp_ms` is Kafka's."""

    partition: int
    offset: int
    timestamp_ms: int
    value: bytes


class Log:
    """The topics behind `prefix` on one cluster. Nothing is ever written or committed."""

    def __init__(self, bootstrap: str, prefix: str) -> None:
        self._bootstrap = bootstrap
        self._prefix = prefix

    def require(self, topics: tuple[str, ...]) -> None:
        """`Transient` where no broker answers, or a topic is missing: named, with what to look at."""
        try:
            listed = AdminClient({"bootstrap.servers": self._bootstrap}).list_topics(timeout=ANSWER_SECONDS)
        except KafkaException as error:
            raise Transient(f"no Kafka broker answers at {self._bootstrap}: {error.args[0].str()}") from error
        missing = [self._prefix + topic for topic in topics if self._prefix + topic not in listed.topics]
        if missing:
            raise Transient(
                f"no topic {', '.join(missing)} at {self._bootstrap}: is --prefix right, and has the system run there?"
            )

    def first_offsets(self, topic: str) -> dict[int, int]:
        """By partition, the oldest offset that is still kept."""
        return {partition: low for partition, (low, _) in self._watermarks(topic).items()}

    def read(self, topic: str) -> Iterator[Found]:
        """Every committed record, oldest first within a partition, up to what is written when this begins."""
        ends = {partition: high for partition, (low, high) in self._watermarks(topic).items() if high > low}
        consumer = self._consumer("read_committed")
        try:
            consumer.assign([TopicPartition(self._prefix + topic, partition, 0) for partition in ends])
            deadline = monotonic() + DECIDED_SECONDS
            while ends:
                for message in consumer.consume(1000, POLL_SECONDS):
                    deadline = monotonic() + DECIDED_SECONDS
                    partition, offset = message.partition() or 0, message.offset() or 0
                    error = message.error()
                    if error is None:
                        if offset < ends.get(partition, 0):
                            yield Found(partition, offset, message.timestamp()[1], message.value() or b"")
                    elif error.code() != KafkaError._PARTITION_EOF:
                        raise Transient(f"{topic}[{partition}] cannot be read: {error.str()}")
                    reached = offset if error is not None else offset + 1
                    if reached >= ends.get(partition, reached + 1):
                        del ends[partition]
                if monotonic() > deadline:
                    raise Transient(f"{topic} could not be read to its end in {DECIDED_SECONDS:g} s: left are {ends}")
        finally:
            consumer.close()

    def _watermarks(self, topic: str) -> dict[int, tuple[int, int]]:
        consumer = self._consumer("read_uncommitted")
        try:
            name = self._prefix + topic
            partitions = consumer.list_topics(name, timeout=ANSWER_SECONDS).topics[name].partitions
            return {
                partition: consumer.get_watermark_offsets(TopicPartition(name, partition), timeout=ANSWER_SECONDS)
                for partition in partitions
            }
        except KafkaException as error:
            raise Transient(f"the ends of {topic} are not known: {error.args[0].str()}") from error
        finally:
            consumer.close()

    def _consumer(self, isolation: str) -> Consumer:
        return Consumer(
            {
                "bootstrap.servers": self._bootstrap,
                "group.id": "homeostat-verify",
                "isolation.level": isolation,
                "auto.offset.reset": "earliest",
                "enable.auto.commit": False,
                "enable.partition.eof": True,
                "fetch.wait.max.ms": 10,  # an end is known by an empty fetch
            }
        )
