"""Under load a commit goes on while the next turn takes its steps: nothing is answered twice, lost or miscounted."""

from __future__ import annotations

import threading
from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from pathlib import Path
from typing import ClassVar

import pytest

from homeostat.local.waiting import wait_for
from shared.bus.base import NewRecord
from shared.bus.memory import MemoryBus, MemoryTransaction
from shared.bus.partitioner import partition_of
from shared.errors import Poison, Transient
from shared.messages import Features
from shared.runtime import Task
from shared.runtime.memory import MemoryRuntime
from shared.service import Batch, Step
from shared.settings import CommonSettings
from shared.topics import DEAD_LETTERS, FEATURES, PREDICTIONS
from tests.shared.runtime.counting import Counter, event

PATIENCE_SECONDS = 20.0
EVENTS = 100


class _Gate(MemoryBus):
    """Commits go on aside, each until somebody opens it; after `passing` of them `failing` are refused."""

    def __init__(self) -> None:
        super().__init__()
        self.transactions = _Gated
        self.opened = threading.Event()
        self.opened.set()
        self.passing = self.failing = 0


class _Gated(MemoryTransaction):
    commits_aside: ClassVar[bool] = True
    _bus: _Gate

    def commit(self, records: Sequence[NewRecord], offsets: Mapping[tuple[str, int], int]) -> None:
        if not self._bus.opened.wait(PATIENCE_SECONDS):
            raise Poison("no step was taken while the commit was under way")
        if self._bus.passing:
            self._bus.passing -= 1
        elif self._bus.failing:
            self._bus.failing -= 1
            raise Transient("refused by the test")
        super().commit(records, offsets)


class _Opener(Counter):
    """Opens the gate with the step that comes after its first."""

    def __init__(self, task: Task, bus: _Gate) -> None:
        super().__init__(task)
        self._bus = bus

    def on_features(self, batch: Batch[Features], now: datetime) -> Step:
        if self.count:
            self._bus.opened.set()
        return super().on_features(batch, now)


def _idle(partitions: int = 1) -> tuple[MemoryRuntime, _Gate]:
    bus = _Gate()
    settings = CommonSettings(
        bootstrap_servers="memory", data_dir=Path(".homeostat"), batch_records=10, data_partitions=partitions
    )
    runtime = MemoryRuntime({"predictor": lambda task: _Opener(task, bus)}, bus=bus, settings=settings)
    runtime.run_until_idle()
    return runtime, bus


def _under_load(*values: Mapping[str, object], after: float = 0.0) -> tuple[MemoryRuntime, _Gate]:
    """A runtime after the turn whose commit is under way, with more events waiting."""
    runtime, bus = _idle()
    runtime.now += timedelta(seconds=after)
    for number in range(EVENTS):
        runtime.put(FEATURES, event(number, **(values[number] if number < len(values) else {})))
    bus.opened.clear()
    runtime.turn("predictor")
    return runtime, bus


def _answers(runtime: MemoryRuntime) -> list[tuple[str, object]]:
    return [(answer.id, answer.prediction) for answer in runtime.messages(PREDICTIONS)]


def test_the_next_step_is_taken_while_the_commit_of_the_one_before_goes_on() -> None:
    runtime, _ = _under_load()
    before = _answers(runtime)

    runtime.run_until_idle()

    assert before == []
    assert _answers(runtime) == [(str(number), number + 1) for number in range(EVENTS)]


@pytest.mark.parametrize("failing", [1, 2, 5])
def test_steps_that_were_taken_upon_a_commit_that_failed_are_given_up_with_it(failing: int) -> None:
    runtime, bus = _under_load()
    bus.failing = failing

    runtime.run_until_idle()
    runtime.advance(30.0)

    assert _answers(runtime) == [(str(number), number + 1) for number in range(EVENTS)]
    assert bus.failing == 0


def test_a_step_that_fails_upon_a_commit_under_way_takes_nothing_of_it_back() -> None:
    runtime, _ = _under_load(*[{}] * 15, {"poison": 1})

    runtime.run_until_idle()
    runtime.advance(30.0)

    assert [letter.id for letter in runtime.messages(DEAD_LETTERS)] == ["15"]
    good = [number for number in range(EVENTS) if number != 15]
    assert _answers(runtime) == [(str(number), count + 1) for count, number in enumerate(good)]


def test_what_one_task_took_upon_a_failed_commit_is_given_up_where_another_task_found_out() -> None:
    runtime, bus = _idle(partitions=2)
    first, second = (next(f"e{n}" for n in range(99) if partition_of(f"e{n}".encode(), 2) == at) for at in (0, 1))
    for number in range(10):  # both partitions in one turn
        runtime.put(FEATURES, event(number, first if number < 5 else second))
    bus.opened.clear()
    runtime.turn("predictor")
    for number in range(10, 20):
        bad = {"poison": 1} if number == 19 else {}
        runtime.put(FEATURES, event(number, first if number < 15 else second, **bad))
    bus.failing = 1

    runtime.run_until_idle()
    runtime.advance(30.0)

    assert [letter.id for letter in runtime.messages(DEAD_LETTERS)] == ["19"]
    expected = {str(number): number % 5 + (1 if number < 10 else 6) for number in range(19)}
    assert sorted(_answers(runtime)) == sorted(expected.items())


@pytest.mark.parametrize("failing", [0, 1])
def test_a_snapshot_holds_nothing_that_is_not_committed(failing: int) -> None:
    runtime, bus = _under_load()
    bus.failing = failing
    bus.opened.set()
    runtime.now += timedelta(seconds=60)  # a snapshot is due while the commit is under way

    runtime.turn("predictor")
    bus.opened.clear()
    runtime.turn("predictor")
    runtime.crash("predictor")
    bus.opened.set()
    runtime.run_until_idle()
    runtime.advance(30.0)

    assert _answers(runtime) == [(str(number), number + 1) for number in range(EVENTS)]


def test_no_snapshot_is_made_upon_a_commit_where_steps_were_taken_upon_it() -> None:
    runtime, bus = _under_load(after=10.0)  # a snapshot is due with this commit
    runtime.now -= timedelta(seconds=1)  # the clock is put back: by then it is not
    bus.passing, bus.failing = 1, 1

    runtime.turn("predictor")
    assert wait_for(lambda: bus.failing == 0, PATIENCE_SECONDS)
    runtime.crash("predictor")
    runtime.run_until_idle()
    runtime.advance(30.0)

    assert _answers(runtime) == [(str(number), number + 1) for number in range(EVENTS)]


def test_an_orderly_end_waits_for_the_commit_under_way() -> None:
    runtime, bus = _under_load()
    bus.opened.set()

    runtime.stop("predictor")

    assert _answers(runtime) == [(str(number), number + 1) for number in range(10)]
