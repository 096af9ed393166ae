"""A task whose snapshots are lost and whose log is cut short goes on, and says what it lacks."""

from __future__ import annotations

import pytest

from shared.bus.memory import MemoryReader
from shared.runtime.memory import MemoryRuntime
from shared.state import MemoryStore
from shared.topics import FEATURES, STEPS, TELEMETRY
from tests.shared.runtime.counting import Counter, event


def _with_history(events: int = 40, **options: object) -> MemoryRuntime:
    runtime = MemoryRuntime({"predictor": Counter}, **options)  # type: ignore[arg-type]
    for number in range(events):
        runtime.put(FEATURES, event(number))
        runtime.run_until_idle()
    return runtime


def _cut(runtime: MemoryRuntime, topic: str, keep: int) -> None:
    """As Kafka's retention does: of each partition of the topic, only the newest `keep` offsets are left."""

    class Reader(MemoryReader):
        def begin_offsets(self, asked: str) -> dict[int, int]:
            begins = super().begin_offsets(asked)
            ends = self.end_offsets(asked)
            return {p: max(0, ends[p] - keep) for p in ends} if asked == topic else begins

    runtime.bus.readers = Reader


def _told(runtime: MemoryRuntime) -> str:
    runtime.crash("predictor")
    runtime.advance(5)
    return runtime.messages(TELEMETRY)[-1].incomplete


@pytest.mark.parametrize(
    ("topic", "keep", "says"),
    [
        (STEPS.name, 10, "are gone from the journal"),
        (STEPS.name, 0, "no snapshot and no journal are left"),
        (FEATURES.name, 2, "is gone from the log"),
    ],
)
def test_what_a_restored_state_lacks_is_told_in_the_pulse(topic: str, keep: int, says: str) -> None:
    runtime = _with_history(stores=[])
    _cut(runtime, topic, keep)

    told = _told(runtime)

    assert "predictor" in told
    assert says in told


def test_what_a_state_lacks_is_told_by_every_later_start_from_it() -> None:
    runtime = _with_history(stores=[MemoryStore()])
    _cut(runtime, STEPS.name, 10)
    first = _told(runtime)
    runtime.advance(20)
    runtime.bus.readers = MemoryReader  # what comes later is not cut: only what was gone is missing

    assert "are gone from the journal" in first
    assert _told(runtime) == first


def test_a_state_that_is_made_again_from_the_whole_log_lacks_nothing_any_more() -> None:
    runtime = _with_history(stores=[])
    _cut(runtime, STEPS.name, 10)
    first = _told(runtime)
    runtime.bus.readers = MemoryReader

    assert first
    assert _told(runtime) == ""


def test_a_log_that_is_cut_short_does_no_harm_where_the_snapshots_are_there() -> None:
    runtime = _with_history(stores=[MemoryStore()])
    runtime.advance(20)
    _cut(runtime, FEATURES.name, 0)

    assert _told(runtime) == ""


def test_a_task_that_begins_lacks_nothing() -> None:
    assert _told(_with_history(events=0)) == ""
