"""Offsets that a transaction leaves open for longer than it may be: whoever asks for them is not kept waiting."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import pytest
from confluent_kafka import Consumer, Producer, TopicPartition

from homeostat.local.waiting import wait_for
from shared.bus.base import Bus, TopicSpec, Undecided
from shared.bus.kafka_python import KafkaPythonBus
from shared.bus.librdkafka import LibrdkafkaBus
from tests.support.member import Share

pytestmark = pytest.mark.kafka


@pytest.mark.parametrize("kind", [LibrdkafkaBus, KafkaPythonBus])
def test_offsets_that_stay_open_are_undecided_and_nobody_waits_for_ever(
    kind: Callable[[str], Bus], kafka_bootstrap: str, topic_prefix: str, caplog: pytest.LogCaptureFixture
) -> None:
    topic, group = f"{topic_prefix}in", f"{topic_prefix}group"
    bus, share = kind(kafka_bootstrap), Share()
    bus.ensure_topics([TopicSpec(topic, 2, 1, {})], timeout=30)

    with _left_open(kafka_bootstrap, group, topic), caplog.at_level(logging.WARNING):
        member = bus.transaction(group, f"{group}-slot", f"{group}-member")
        member.subscribe([topic], share)
        with pytest.raises(Undecided):
            member.committed([(topic, 0), (topic, 1)])

    assert not [line for line in caplog.messages if "Unstable" in line]
    assert wait_for(lambda: member.committed([(topic, 0), (topic, 1)]) == {(topic, 0): None, (topic, 1): None}, 30)
    member.close()
    bus.close()


@contextmanager
def _left_open(bootstrap_servers: str, group: str, topic: str) -> Iterator[None]:
    """A transaction with an offset of the group stays open inside, for as long as a broker lets it."""
    at = {"bootstrap.servers": bootstrap_servers}
    producer = Producer(at | {"transactional.id": f"{group}-other", "transaction.timeout.ms": 120_000})
    consumer = Consumer(at | {"group.id": group})
    producer.init_transactions(30)
    producer.begin_transaction()
    producer.send_offsets_to_transaction([TopicPartition(topic, 1, 7)], consumer.consumer_group_metadata(), 30)
    consumer.close()
    try:
        yield
    finally:
        producer.abort_transaction(30)
