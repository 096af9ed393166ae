"""A bus outlives its broker: what is asked of it after the broker died and came back is answered as before."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from homeostat.local.guard import Guard
from homeostat.local.kafka import EmbeddedKafka, KafkaSettings
from homeostat.local.waiting import wait_for
from shared.bus.base import Bus
from shared.bus.kafka_python import KafkaPythonBus
from shared.bus.librdkafka import LibrdkafkaBus
from shared.errors import Transient
from tests.contracts.conftest import Rig, poll_until
from tests.contracts.test_bus_transactions import joined

PATIENCE_SECONDS = 60.0

pytestmark = pytest.mark.kafka


@pytest.fixture
def broker(tmp_path: Path) -> Iterator[EmbeddedKafka]:
    guard = Guard()
    broker = EmbeddedKafka(KafkaSettings(data_dir=tmp_path / "data", log=tmp_path / "kafka.log"), guard)
    broker.start()
    broker.wait()
    yield broker
    guard.close()


@pytest.mark.parametrize("kind", [LibrdkafkaBus, KafkaPythonBus])
def test_offsets_are_told_again_after_the_broker_was_killed(broker: EmbeddedKafka, kind: Callable[[str], Bus]) -> None:
    rig = Rig(kind(broker.bootstrap_servers), "crash.")
    source = rig.topic("source")
    rig.write(source, b"1")
    transaction, _ = joined(rig, [source])
    poll_until(lambda: transaction.poll(10, 0.5), lambda found: len(found) == 1)
    transaction.commit([], {(source, 0): 1})
    assert wait_for(lambda: _taken(rig) == {(source, 0): 1}, PATIENCE_SECONDS)

    broker.child.kill()
    broker.start()
    broker.wait()

    assert wait_for(lambda: _taken(rig) == {(source, 0): 1}, PATIENCE_SECONDS)
    assert rig.reader().written_offsets(source) == {0: 1}
    rig.close()


def _taken(rig: Rig) -> dict[tuple[str, int], int]:
    try:
        return rig.bus.committed(rig.prefix + "group")
    except Transient:
        return {}
