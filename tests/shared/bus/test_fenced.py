"""A member of a group whose place another one takes hears of it where it reads, though it commits nothing."""

from __future__ import annotations

from collections.abc import Sequence

import pytest

from homeostat.local.waiting import wait_for
from shared.bus.base import Fenced, TopicSpec, Transaction
from shared.bus.librdkafka import LibrdkafkaBus

pytestmark = pytest.mark.kafka


class _Share:
    """What a member was given."""

    def __init__(self) -> None:
        self.owned: set[tuple[str, int]] = set()

    def assigned(self, partitions: Sequence[tuple[str, int]]) -> None:
        self.owned.update(partitions)

    def revoked(self, partitions: Sequence[tuple[str, int]]) -> None:
        self.owned.difference_update(partitions)


def test_a_reader_whose_place_in_the_group_is_taken_is_told_so(kafka_bootstrap: str, topic_prefix: str) -> None:
    topic, group = f"{topic_prefix}in", f"{topic_prefix}group"
    bus = LibrdkafkaBus(kafka_bootstrap)
    bus.ensure_topics([TopicSpec(topic, 1, 1, {})], timeout=30)
    first = _member(bus, group, topic, "first")
    second = _member(bus, group, topic, "second")

    with pytest.raises(Fenced, match="fenced"):
        wait_for(lambda: bool(first.poll(10, 0.2)), 30)
    second.close()


def _member(bus: LibrdkafkaBus, group: str, topic: str, slot: str) -> Transaction:
    """A member called as every other of this group, with a transactional id of its own."""
    share = _Share()
    transaction = bus.transaction(group, f"{group}-{slot}", f"{group}-member")
    transaction.subscribe([topic], share)

    def has_its_share() -> bool:
        transaction.poll(10, 0.2)
        return bool(share.owned)

    assert wait_for(has_its_share, 60)
    return transaction
