"""A broker that says nothing in the middle of a transaction: the commit ends by itself, and the next one counts."""

from __future__ import annotations

import os
import signal
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import pytest

from homeostat.local.guard import Guard
from homeostat.local.kafka import EmbeddedKafka, KafkaSettings
from homeostat.local.waiting import wait_for
from shared.bus.base import Bus, NewRecord, TopicSpec, Transaction
from shared.bus.kafka_python import KafkaPythonBus
from shared.bus.librdkafka import LibrdkafkaBus
from shared.errors import Transient
from tests.support.member import Share

pytestmark = [pytest.mark.kafka, pytest.mark.xdist_group("silent")]


@pytest.fixture(scope="module")
def broker(tmp_path_factory: pytest.TempPathFactory) -> Iterator[EmbeddedKafka]:
    """One of our own: others would wait for it."""
    folder, guard = tmp_path_factory.mktemp("silent"), Guard()
    broker = EmbeddedKafka(KafkaSettings(data_dir=folder / "kafka", log=folder / "kafka.log"), guard)
    broker.start()
    broker.wait()
    yield broker
    broker.stop()
    guard.close()


@pytest.mark.parametrize("kind", [LibrdkafkaBus, KafkaPythonBus])
def test_a_commit_to_a_broker_that_says_nothing_ends_and_the_next_one_counts(
    kind: Callable[[str], Bus], broker: EmbeddedKafka, topic_prefix: str
) -> None:
    source, target = f"{topic_prefix}in", f"{topic_prefix}out"
    bus, share = kind(broker.bootstrap_servers), Share()
    bus.ensure_topics([TopicSpec(source, 1, 1, {}), TopicSpec(target, 1, 1, {})], timeout=30)
    member = bus.transaction(f"{topic_prefix}group", f"{topic_prefix}slot", f"{topic_prefix}slot")
    member.subscribe([source], share)

    assert wait_for(lambda: _committed(member, share, source, NewRecord(target, b"k", b"before")), 60)
    with _silent(broker), pytest.raises(Transient):
        member.commit([], {(source, 0): 1})
    assert wait_for(lambda: _committed(member, share, source, NewRecord(target, b"k", b"after")), 60)

    reader = bus.reader(f"{topic_prefix}reader")
    end = reader.written_offsets(target)[0]
    assert [record.value for part in reader.read(target, 0, 0, end) for record in part] == [b"before", b"after"]
    member.close()
    reader.close()
    bus.close()


def _committed(member: Transaction, share: Share, source: str, record: NewRecord) -> bool:
    member.poll(10, 0.2)
    if (source, 0) not in share.owned:
        return False
    try:
        member.commit([record], {(source, 0): 1})
    except Transient:
        return False
    return True


@contextmanager
def _silent(broker: EmbeddedKafka) -> Iterator[None]:
    """The broker stands still inside, its connections open."""
    pid = broker.child.pid
    assert pid is not None
    os.kill(pid, signal.SIGSTOP)
    try:
        yield
    finally:
        os.kill(pid, signal.SIGCONT)
