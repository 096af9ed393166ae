"""A member of a group whose place another one takes hears of it: where it reads, or at its next commit."""

from __future__ import annotations

import pytest

from homeostat.local.waiting import wait_for
from shared.bus.base import Bus, Fenced, TopicSpec, Transaction
from shared.bus.kafka_python import KafkaPythonBus
from shared.bus.librdkafka import LibrdkafkaBus
from tests.support.member import Share

pytestmark = pytest.mark.kafka


def test_a_reader_whose_place_in_the_group_is_taken_is_told_so(kafka_bootstrap: str, topic_prefix: str) -> None:
    bus, topic = LibrdkafkaBus(kafka_bootstrap), f"{topic_prefix}in"
    first, second = _two_in_one_place(bus, topic, f"{topic_prefix}group")

    with pytest.raises(Fenced, match="fenced"):
        wait_for(lambda: bool(first.poll(10, 0.2)), 30)
    second.close()


def test_kafka_python_keeps_it_to_itself_until_the_next_commit(kafka_bootstrap: str, topic_prefix: str) -> None:
    bus, topic = KafkaPythonBus(kafka_bootstrap), f"{topic_prefix}in"
    first, second = _two_in_one_place(bus, topic, f"{topic_prefix}group")

    with pytest.raises(Fenced):
        first.commit([], {(topic, 0): 0})
    first.close()
    second.close()
    bus.close()


def _two_in_one_place(bus: Bus, topic: str, group: str) -> tuple[Transaction, Transaction]:
    """Two members under one name: the second has taken the place of the first."""
    bus.ensure_topics([TopicSpec(topic, 1, 1, {})], timeout=30)
    return _member(bus, group, topic, "first"), _member(bus, group, topic, "second")


def _member(bus: Bus, group: str, topic: str, slot: str) -> Transaction:
    """A member called as every other of this group, with a transactional id of its own."""
    share = Share()
    transaction = bus.transaction(group, f"{group}-{slot}", f"{group}-member")
    transaction.subscribe([topic], share)

    def has_its_share() -> bool:
        transaction.poll(10, 0.2)
        return bool(share.owned)

    assert wait_for(has_its_share, 60)
    return transaction
