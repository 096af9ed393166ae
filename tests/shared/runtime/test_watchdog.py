"""The watchdog ends a process that hangs, and no other."""

from __future__ import annotations

from shared.runtime.progress import Progress
from shared.runtime.watchdog import STATUS, Watchdog
from tests.support.logs import logged


class _Clock:
    def __init__(self) -> None:
        self.seconds = 0.0

    def __call__(self) -> float:
        return self.seconds


def _watchdog(clock: _Clock, ended: list[int]) -> Watchdog:
    return Watchdog(40.0, 240.0, clock, ended.append)


def test_a_transaction_past_its_deadline_ends_the_process() -> None:
    clock, ended = _Clock(), list[int]()
    watchdog = _watchdog(clock, ended)

    with watchdog.transaction():
        clock.seconds = 39.0
        watchdog.check()
        within = list(ended)
        clock.seconds = 41.0
        watchdog.check()

    assert within == []
    assert ended == [STATUS]


def test_what_is_ended_says_where_it_hung() -> None:
    clock, ended = _Clock(), list[int]()
    watchdog = _watchdog(clock, ended)
    watchdog.turned()

    with logged() as logs, watchdog.transaction():
        clock.seconds = 41.0
        watchdog.check()

    assert any("test_what_is_ended_says_where_it_hung" in line for line in logs[0]["where"])


def test_a_transaction_that_ended_in_time_is_forgotten() -> None:
    clock, ended = _Clock(), list[int]()
    watchdog = _watchdog(clock, ended)
    with watchdog.transaction():
        clock.seconds = 5.0

    clock.seconds = 100.0
    watchdog.check()

    assert ended == []


def test_a_loop_that_no_longer_turns_ends_the_process() -> None:
    clock, ended = _Clock(), list[int]()
    watchdog = _watchdog(clock, ended)
    clock.seconds = 200.0
    watchdog.turned()
    clock.seconds = 430.0
    alive = watchdog.alive

    clock.seconds = 441.0
    watchdog.check()

    assert alive
    assert ended == [STATUS]


def test_a_partition_that_moves_or_has_nothing_new_is_not_suspected() -> None:
    progress = Progress(60.0)
    at = ("t", 0)

    moving = [progress.standing(float(now), {at: now}, {at: now + 50}) for now in range(0, 300, 20)]
    idle = [progress.standing(float(now), {at: 280}, {at: 330}) for now in range(300, 600, 20)]

    assert not any(moving + idle)


def test_an_end_that_moves_without_the_position_is_suspected_until_it_is_excused() -> None:
    progress = Progress(60.0)
    at = ("t", 0)
    progress.standing(0.0, {at: 5}, {at: 5})

    suspected = progress.standing(70.0, {at: 5}, {at: 9})
    progress.excuse(at, 9, 70.0)

    assert suspected == [at]
    assert progress.standing(200.0, {at: 5}, {at: 9}) == []
    assert progress.standing(201.0, {at: 5}, {at: 10}) == [at]
