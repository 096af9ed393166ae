"""Tasks that cannot start because the journal's end is not decided: they hold up a turn once, not once each."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

from shared.bus.base import Record
from shared.bus.memory import MemoryBus, MemoryReader
from shared.errors import Transient
from shared.runtime.installation import topic_specs
from shared.runtime.journal import READ_SECONDS
from shared.runtime.memory import InlineJobs
from shared.runtime.parts import loop_of
from shared.settings import CommonSettings
from shared.state import MemoryStore, Snapshots
from shared.topics import STEPS
from tests.shared.runtime.counting import AT, Counter


class OpenJournal(MemoryBus):
    """While `open`, who reads the journal waits as long as it may, in vain. `seconds` have been waited so far."""

    def __init__(self) -> None:
        super().__init__()
        self.open = True
        self.seconds = 0.0

    def reader(self, client_id: str) -> MemoryReader:
        return _Waiting(self)


class _Waiting(MemoryReader):
    def __init__(self, bus: OpenJournal) -> None:
        super().__init__(bus)
        self._journal = bus

    def read(self, topic: str, partition: int, start: int, stop: int, timeout: float = 30.0) -> Iterator[list[Record]]:
        if topic.endswith(STEPS.name) and self._journal.open:
            self._journal.seconds += timeout
            raise Transient("the journal is not decided")
        return super().read(topic, partition, start, stop, timeout)


def test_a_turn_waits_once_for_a_journal_that_is_not_decided_and_tries_another_task_each_time() -> None:
    settings = CommonSettings(bootstrap_servers="memory", data_dir=Path(".homeostat"), data_partitions=4)
    bus = OpenJournal()
    bus.ensure_topics(topic_specs(settings), timeout=0.0)
    loop = loop_of(
        "predictor",
        Counter,
        bus=bus,
        settings=settings,
        jobs=InlineJobs({}, settings, bus, lambda _: 0.0),
        snapshots=Snapshots([MemoryStore()], "memory"),
        clock=lambda: AT + timedelta(seconds=bus.seconds),
        stopwatch=lambda: bus.seconds,
    )

    waited = []
    for _ in range(5):
        loop.turn(0.0)
        waited.append(bus.seconds)
    tried = {task.partition for task in loop.tasks.setbacks}
    bus.open = False
    loop.turn(0.0)
    bus.seconds += 60
    loop.turn(0.0)

    assert waited[-1] - waited[-2] == READ_SECONDS
    assert max(later - sooner for sooner, later in zip([0.0, *waited], waited, strict=False)) == READ_SECONDS
    assert tried == {0, 1, 2, 3}
    assert {task.partition for task in loop.tasks.running} == {0, 1, 2, 3}
