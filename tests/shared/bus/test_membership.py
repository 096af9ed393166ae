"""librdkafka joins a new generation in the background: an owner that has not been told yet must not commit in it."""

from __future__ import annotations

import threading
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress

import pytest
from confluent_kafka import ConsumerGroupState, KafkaException
from confluent_kafka.admin import AdminClient

from homeostat.local.waiting import wait_for
from shared.bus.base import NewRecord, TopicSpec
from shared.bus.librdkafka import LibrdkafkaBus
from shared.bus.librdkafka.transaction import LibrdkafkaTransaction
from shared.errors import Transient
from tests.support.member import Share

pytestmark = [pytest.mark.kafka]

JOINING_SECONDS = 30.0


@pytest.fixture
def bus(kafka_bootstrap: str) -> Iterator[LibrdkafkaBus]:
    bus = LibrdkafkaBus(kafka_bootstrap)
    yield bus
    bus.close()


def _settled(address: str, group: str) -> bool:
    """Whether two members have a generation of the group in common."""
    admin = AdminClient({"bootstrap.servers": address})
    (described,) = admin.describe_consumer_groups([group], request_timeout=10).values()
    try:
        found = described.result()
    except KafkaException:  # the group is not known yet
        return False
    return len(found.members) == 2 and found.state == ConsumerGroupState.STABLE


def test_an_owner_that_was_not_told_of_a_new_generation_cannot_commit_in_it(
    bus: LibrdkafkaBus, topic_prefix: str
) -> None:
    source, target = topic_prefix + "source", topic_prefix + "target"
    bus.ensure_topics([TopicSpec(source, 2, 1, {}), TopicSpec(target, 1, 1, {})], timeout=20.0)
    group = topic_prefix + "group"
    first, told = bus.transaction(group, topic_prefix + "a", topic_prefix + "a"), Share()
    first.subscribe([source], told)

    def has_both() -> bool:
        first.poll(10, 0.2)
        return len(told.owned) == 2

    assert wait_for(has_both, JOINING_SECONDS)
    second = bus.transaction(group, topic_prefix + "b", topic_prefix + "b")
    second.subscribe([source], Share())

    def joined() -> bool:
        second.poll(10, 0.2)
        return _settled(bus.clients.bootstrap_servers, group)

    assert wait_for(joined, JOINING_SECONDS)

    with pytest.raises(Transient):
        first.commit([NewRecord(target, b"k", b"by whom?")], {(source, 0): 1, (source, 1): 1})
    first.close()
    second.close()


class _Waiting(Share):
    """Waits for a commit that goes on aside before it takes over what it is told of, as the runtime does."""

    def __init__(self, transaction: LibrdkafkaTransaction) -> None:
        super().__init__()
        self._transaction = transaction
        self.ended: list[bool] = []

    def assigned(self, partitions: Sequence[tuple[str, int]]) -> None:
        aside = threading.Thread(target=self._commit, args=(dict.fromkeys(partitions, 0),), daemon=True)
        aside.start()
        aside.join(JOINING_SECONDS)
        self.ended.append(not aside.is_alive())
        super().assigned(partitions)

    def _commit(self, offsets: Mapping[tuple[str, int], int]) -> None:
        with suppress(Transient):  # it may well be refused, but it must not wait for the poll that waits for it
            self._transaction.commit([], offsets)


def test_a_commit_aside_ends_while_the_poll_that_tells_of_a_change_waits_for_it(
    bus: LibrdkafkaBus, topic_prefix: str
) -> None:
    source = topic_prefix + "source"
    bus.ensure_topics([TopicSpec(source, 1, 1, {})], timeout=20.0)
    member = bus.transaction(topic_prefix + "group", topic_prefix + "a", topic_prefix + "a")
    told = _Waiting(member)
    member.subscribe([source], told)

    def has_it() -> bool:
        member.poll(10, 0.2)
        return bool(told.owned)

    assert wait_for(has_it, 2 * JOINING_SECONDS)
    assert told.ended == [True]
    member.close()
