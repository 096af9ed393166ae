"""What every bus promises to those who write and read by address."""

from __future__ import annotations

import pytest

from shared.bus.base import ENOUGH_BYTES, NewRecord, Record, TopicSpec
from shared.bus.partitioner import partition_of
from shared.errors import Misconfigured, Poison, Transient
from tests.contracts.conftest import Rig, poll_until


def test_what_was_sent_is_read_back_with_key_headers_and_offset(rig: Rig) -> None:
    topic = rig.topic()

    positions = rig.producer().send(
        [NewRecord(topic, b"k", b"one", (("a", b"1"), ("b", b"2"))), NewRecord(topic, None, b"two")], timeout=20.0
    )

    [chunk] = list(rig.reader().read(topic, 0, 0, 2))
    assert positions == [(topic, 0, 0), (topic, 0, 1)]
    assert [(r.topic, r.partition, r.offset, r.key, r.value) for r in chunk] == [
        (topic, 0, 0, b"k", b"one"),
        (topic, 0, 1, None, b"two"),
    ]
    assert chunk[0].headers == (("a", b"1"), ("b", b"2"))
    assert chunk[1].headers == ()


def test_a_key_goes_to_the_partition_that_murmur2_gives_it(rig: Rig) -> None:
    topic = rig.topic(partitions=5)
    keys = [f"entity-{number}".encode() for number in range(40)]

    positions = rig.producer().send([NewRecord(topic, key, b"v") for key in keys], timeout=20.0)

    assert [position.partition for position in positions] == [partition_of(key, 5) for key in keys]


def test_a_partition_that_is_given_is_kept(rig: Rig) -> None:
    topic = rig.topic(partitions=3)

    positions = rig.producer().send([NewRecord(topic, b"k", b"v", (), 2), NewRecord(topic, b"k", b"v", (), 0)], 20.0)

    assert [position.partition for position in positions] == [2, 0]


def test_one_record_too_large_is_refused_by_name_and_nothing_is_written(rig: Rig) -> None:
    topic = rig.topic()

    with pytest.raises(Poison, match=topic) as refused:
        rig.producer().send([NewRecord(topic, b"k", b"small"), NewRecord(topic, b"k", bytes(1_000_001))], 20.0)

    assert refused.value.reason == "too-large"
    assert rig.reader().end_offsets(topic) == {0: 0}


def test_a_record_of_nearly_the_limit_is_taken_and_a_topic_may_have_a_higher_limit(rig: Rig) -> None:
    usual = rig.topic()
    large = rig.topic("large", largest=2_100_000)

    rig.producer().send([NewRecord(usual, None, bytes(999_000)), NewRecord(large, None, bytes(1_900_000))], 20.0)

    assert [len(value) for value in rig.everything(usual) + rig.everything(large)] == [999_000, 1_900_000]


def test_reading_a_range_gives_that_range_and_ends(rig: Rig) -> None:
    topic = rig.topic()
    rig.write(topic, *(str(number).encode() for number in range(2500)))

    values = [int(record.value) for chunk in rig.reader().read(topic, 0, 300, 2300) for record in chunk]

    assert values == list(range(300, 2300))


def test_reading_past_the_end_gives_what_is_there_and_then_a_transient_error(rig: Rig) -> None:
    topic = rig.topic()
    rig.write(topic, b"only")

    with pytest.raises(Transient, match="before 5"):
        list(rig.reader().read(topic, 0, 0, 5, timeout=1.0))


def test_an_empty_range_is_empty_at_once(rig: Rig) -> None:
    assert list(rig.reader().read(rig.topic(), 0, 0, 0)) == []


def test_offsets_say_where_each_partition_begins_and_ends(rig: Rig) -> None:
    topic = rig.topic(partitions=2)
    rig.write(topic, b"a", b"b", partition=1)

    reader = rig.reader()

    assert reader.begin_offsets(topic) == {0: 0, 1: 0}
    assert reader.end_offsets(topic) == {0: 0, 1: 2}
    assert reader.written_offsets(topic) == {0: 0, 1: 2}


def test_following_gives_what_comes_from_where_it_was_told(rig: Rig) -> None:
    first, second = rig.topic("first"), rig.topic("second")
    rig.write(first, b"a", b"b")
    reader = rig.reader()

    reader.follow({(first, 0): 1, (second, 0): 0})
    rig.write(second, b"c")
    found = poll_until(lambda: reader.poll(10, 0.5), lambda records: len(records) == 2)

    assert sorted(record.value for record in found) == [b"b", b"c"]


def test_a_poll_of_large_records_ends_once_it_holds_enough_and_none_is_left_out(rig: Rig) -> None:
    topic, count = rig.topic(), 64
    rig.producer().send([NewRecord(topic, b"k", bytes(900_000)) for _ in range(count)], 30.0)
    reader = rig.reader()
    reader.follow({(topic, 0): 0})

    polls: list[int] = []

    def poll() -> list[Record]:
        records = reader.poll(count, 1.0)
        polls.append(len(records))
        return records

    poll_until(poll, lambda records: len(records) == count)

    assert max(polls) * 900_000 < 4 * ENOUGH_BYTES


def test_following_something_else_leaves_what_was_followed(rig: Rig) -> None:
    first, second = rig.topic("first"), rig.topic("second")
    reader = rig.reader()
    reader.follow({(first, 0): 0})
    rig.write(first, b"a")
    poll_until(lambda: reader.poll(10, 0.5), lambda records: len(records) == 1)

    reader.follow({(second, 0): 0})
    rig.write(first, b"b")
    rig.write(second, b"c")
    found = poll_until(lambda: reader.poll(10, 0.5), lambda records: len(records) >= 1)

    assert [record.value for record in found + reader.poll(10, 0.5)] == [b"c"]


def test_reading_a_range_does_not_disturb_what_is_followed(rig: Rig) -> None:
    topic = rig.topic()
    reader = rig.reader()
    rig.write(topic, b"a", b"b")
    reader.follow({(topic, 0): 0})
    poll_until(lambda: reader.poll(10, 0.5), lambda records: len(records) == 2)

    again = [record.value for chunk in reader.read(topic, 0, 0, 2) for record in chunk]
    rig.write(topic, b"c")
    found = poll_until(lambda: reader.poll(10, 0.5), lambda records: len(records) >= 1)

    assert again == [b"a", b"b"]
    assert [record.value for record in found] == [b"c"]


def test_following_tells_that_an_end_is_reached_though_a_marker_stands_before_it(rig: Rig) -> None:
    marked, empty, ahead = rig.topic("marked"), rig.topic("empty"), rig.topic("ahead")
    transaction, reader = rig.transaction(), rig.reader()
    transaction.commit([NewRecord(marked, b"k", b"a"), NewRecord(ahead, b"k", b"b")], {})
    ends = {(marked, 0): 2, (empty, 0): 0, (ahead, 0): 2}

    reader.follow({(marked, 0): 0, (empty, 0): 0, (ahead, 0): 1})
    begun = reader.reached()
    found = poll_until(lambda: reader.poll(10, 0.1), lambda _: reader.reached() == ends)

    assert begun[marked, 0] == 0
    assert [record.value for record in found] == [b"a"]


def test_topics_are_made_once_and_fewer_partitions_than_asked_are_refused(rig: Rig) -> None:
    topic = rig.topic(partitions=2)

    rig.bus.ensure_topics([TopicSpec(topic, 2, 1, {})], timeout=20.0)

    with pytest.raises(Misconfigured, match="2 partitions, 3 are asked for"):
        rig.bus.ensure_topics([TopicSpec(topic, 3, 1, {})], timeout=20.0)


def test_a_topic_that_does_not_exist_is_named(rig: Rig) -> None:
    with pytest.raises(Misconfigured, match=r"no-such-topic.*does not exist"):
        rig.reader().end_offsets(rig.prefix + "no-such-topic")


def test_a_cluster_answers_and_has_a_name_that_stays(rig: Rig) -> None:
    rig.bus.ping(timeout=10.0)

    assert rig.bus.cluster_id(timeout=10.0) == rig.bus.cluster_id(timeout=10.0) != ""
