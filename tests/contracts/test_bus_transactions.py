"""What every bus promises of transactions and groups: exactly once, fenced, and handed over in order."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import pytest

from homeostat.local.waiting import wait_for
from shared.bus.base import Fenced, NewRecord, Record, Transaction
from shared.errors import Poison, Transient
from tests.contracts.conftest import Listener, Rig, poll_until


def joined(rig: Rig, topics: list[str], slot: str = "slot") -> tuple[Transaction, Listener]:
    """A transaction whose first partitions are assigned and flow."""
    transaction = rig.transaction(slot)
    listener = Listener(transaction)
    transaction.subscribe(topics, listener)
    poll_until(lambda: transaction.poll(100, 0.2), lambda _: bool(listener.owned))
    for at in listener.owned:
        transaction.resume(*at)
    return transaction, listener


def test_outputs_and_offsets_are_committed_together(rig: Rig) -> None:
    source, target = rig.topic("source"), rig.topic("target")
    rig.write(source, b"1", b"2", b"3")
    transaction, _ = joined(rig, [source])

    records = poll_until(lambda: transaction.poll(100, 0.5), lambda found: len(found) == 3)
    transaction.commit([NewRecord(target, b"k", record.value) for record in records], {(source, 0): 3})

    assert rig.everything(target) == [b"1", b"2", b"3"]
    assert transaction.committed([(source, 0)]) == {(source, 0): 3}


def test_more_is_read_while_a_commit_goes_on_aside(rig: Rig) -> None:
    source, target = rig.topic("source"), rig.topic("target")
    rig.write(source, *(b"%d" % number for number in range(2_000)))
    transaction, _ = joined(rig, [source])
    first = poll_until(lambda: transaction.poll(1_000, 0.5), lambda found: len(found) >= 1_000)
    values = [record.value for record in first]

    with ThreadPoolExecutor(1) as aside:
        records = [NewRecord(target, b"k", value) for value in values]
        under_way = aside.submit(transaction.commit, records, {(source, 0): len(first)})
        if not transaction.commits_aside:
            under_way.result()
        rest = poll_until(lambda: transaction.poll(1_000, 0.1), lambda found: len(found) == 2_000 - len(first))
        under_way.result()

    assert rig.everything(target) == values
    assert values + [record.value for record in rest] == [b"%d" % number for number in range(2_000)]
    assert transaction.committed([(source, 0)]) == {(source, 0): len(first)}


def test_what_a_group_has_committed_is_seen_from_outside_of_it(rig: Rig) -> None:
    source = rig.topic("source", partitions=2)
    rig.write(source, b"1", b"2", partition=1)
    transaction, _ = joined(rig, [source])
    poll_until(lambda: transaction.poll(100, 0.5), lambda found: len(found) == 2)

    before = rig.bus.committed(rig.prefix + "group")
    transaction.commit([], {(source, 1): 2})

    assert before == {}
    assert wait_for(lambda: rig.bus.committed(rig.prefix + "group") == {(source, 1): 2}, 10)
    assert rig.bus.committed(rig.prefix + "nobody") == {}


def test_nothing_is_committed_where_nothing_was(rig: Rig) -> None:
    source = rig.topic("source", partitions=2)
    transaction, _ = joined(rig, [source])

    assert transaction.committed([(source, 0), (source, 1)]) == {(source, 0): None, (source, 1): None}


def test_whoever_comes_next_goes_on_from_what_was_committed(rig: Rig) -> None:
    source, target = rig.topic("source"), rig.topic("target")
    rig.write(source, b"1", b"2", b"3")
    first, _ = joined(rig, [source])
    poll_until(lambda: first.poll(100, 0.5), lambda found: len(found) == 3)
    first.commit([NewRecord(target, b"k", b"out")], {(source, 0): 2})
    first.close()

    second, _ = joined(rig, [source], "other")
    records = poll_until(lambda: second.poll(100, 0.5), lambda found: len(found) >= 1)

    assert [record.value for record in records] == [b"3"]


def test_a_transaction_that_is_refused_leaves_nothing_behind(rig: Rig) -> None:
    source, target = rig.topic("source"), rig.topic("target")
    rig.write(source, b"1")
    transaction, _ = joined(rig, [source])

    with pytest.raises(Poison):
        transaction.commit([NewRecord(target, b"k", b"x"), NewRecord(target, b"k", bytes(1_000_001))], {(source, 0): 1})
    transaction.commit([NewRecord(target, b"k", b"y")], {(source, 0): 1})

    assert rig.everything(target) == [b"y"]


def test_the_same_records_come_again_after_seeking_back(rig: Rig) -> None:
    source = rig.topic("source")
    rig.write(source, b"1", b"2")
    transaction, _ = joined(rig, [source])
    poll_until(lambda: transaction.poll(100, 0.5), lambda found: len(found) == 2)

    transaction.seek(source, 0, 1)
    records = poll_until(lambda: transaction.poll(100, 0.5), lambda found: len(found) >= 1)

    assert [record.value for record in records] == [b"2"]


def test_a_paused_partition_gives_nothing_until_it_is_resumed(rig: Rig) -> None:
    source = rig.topic("source")
    transaction, _ = joined(rig, [source])
    transaction.pause(source, 0)
    rig.write(source, b"1")

    while_paused = [record for _ in range(5) for record in transaction.poll(100, 0.2)]
    transaction.resume(source, 0)
    records = poll_until(lambda: transaction.poll(100, 0.5), lambda found: len(found) >= 1)

    assert while_paused == []
    assert [record.value for record in records] == [b"1"]


def test_no_poll_gives_more_than_it_was_asked_for_and_nothing_is_lost_by_that(rig: Rig) -> None:
    source = rig.topic("source", partitions=3)
    for partition in range(3):
        rig.write(source, *(f"{partition}{number}".encode() for number in range(20)), partition=partition)
    transaction, _ = joined(rig, [source])
    sizes = []

    def poll() -> list[Record]:
        records = transaction.poll(7, 0.5)
        sizes.append(len(records))
        return records

    records = poll_until(poll, lambda found: len(found) == 60)

    assert max(sizes) <= 7
    assert len({record.value for record in records}) == 60


def test_partitions_are_divided_and_handed_over_when_a_member_joins_and_leaves(rig: Rig) -> None:
    source = rig.topic("source", partitions=4)
    first, first_sees = joined(rig, [source], "slot-a")
    alone = set(first_sees.owned)

    second = rig.transaction("slot-b")
    second_sees = Listener(second)
    second.subscribe([source], second_sees)

    def both() -> list[Record]:
        return [*first.poll(10, 0.1), *second.poll(10, 0.1)]

    poll_until(both, lambda _: len(first_sees.owned) == len(second_sees.owned) == 2)
    shared = (set(first_sees.owned), set(second_sees.owned))
    second.close()
    poll_until(lambda: first.poll(10, 0.1), lambda _: len(first_sees.owned) == 4)

    assert len(alone) == 4
    assert shared[0] | shared[1] == alone
    assert not shared[0] & shared[1]


def test_the_first_holder_of_a_slot_is_fenced_by_the_second(rig: Rig) -> None:
    source, target = rig.topic("source"), rig.topic("target")
    first, _ = joined(rig, [source])

    rig.transaction("slot")

    with pytest.raises(Fenced):
        first.commit([NewRecord(target, b"k", b"zombie")], {(source, 0): 0})
    assert rig.everything(target) == []


def test_a_member_that_was_expelled_cannot_commit_and_joins_again(rig: Rig) -> None:
    source, target = rig.topic("source"), rig.topic("target")
    rig.write(source, b"1")
    member, listener = joined(rig, [source])
    poll_until(lambda: member.poll(100, 0.5), lambda found: len(found) == 1)
    rig.expel()

    with pytest.raises(Transient):
        member.commit([NewRecord(target, b"k", b"zombie")], {(source, 0): 1})
    owned_before = listener.generation
    poll_until(lambda: member.poll(100, 0.2), lambda _: listener.generation > owned_before and bool(listener.owned))
    member.commit([NewRecord(target, b"k", b"again")], {(source, 0): 1})

    assert rig.everything(target) == [b"again"]


def test_a_member_that_is_expelled_while_the_group_settles_is_told_that_it_lost_what_it_had(rig: Rig) -> None:
    source, target = rig.topic("source", partitions=6), rig.topic("target")
    member, listener = joined(rig, [source])
    late, newest = (rig.transaction(slot) for slot in ("late", "newest"))
    late_sees = Listener(late)
    late.subscribe([source], late_sees)
    poll_until(lambda: [*member.poll(10, 0.1), *late.poll(10, 0.1)], lambda _: bool(late_sees.owned))
    newest.subscribe([source], Listener(newest))
    for _ in range(20):  # the group waits for `late`, which does not answer; the others have asked to join
        newest.poll(10, 0.1)
        member.poll(10, 0.1)
    had = set(listener.owned)
    listener.lost.clear()
    for slot in ("slot", "late", "newest"):
        rig.expel(slot)
    late.close()
    newest.close()

    with pytest.raises(Transient):
        member.commit([NewRecord(target, b"k", b"zombie")], dict.fromkeys(had, 1))
    poll_until(lambda: member.poll(100, 0.2), lambda _: had <= listener.lost and had <= listener.owned)
    member.commit([NewRecord(target, b"k", b"again")], dict.fromkeys(had, 1))

    assert rig.everything(target) == [b"again"]


def test_a_range_across_transactions_ends_though_markers_leave_gaps(rig: Rig) -> None:
    source, target = rig.topic("source"), rig.topic("target")
    transaction, _ = joined(rig, [source])
    for value in (b"a", b"b", b"c"):
        transaction.commit([NewRecord(target, b"k", value)], {(source, 0): 0})

    end = rig.reader().written_offsets(target)[0]

    assert end > 3
    assert rig.everything(target) == [b"a", b"b", b"c"]


def test_what_waits_is_known_and_falls_to_nothing(rig: Rig) -> None:
    source, target = rig.topic("source"), rig.topic("target")
    transaction, _ = joined(rig, [source])
    transaction.commit([NewRecord(source, b"k", b"1"), NewRecord(source, b"k", b"2")], {(source, 0): 0})

    poll_until(lambda: transaction.poll(1, 0.5), lambda found: len(found) == 1)
    waiting = transaction.lag()[source, 0]
    poll_until(lambda: transaction.poll(10, 0.5), lambda _: transaction.lag()[source, 0] == 0)

    assert waiting >= 1
    assert rig.everything(target) == []
