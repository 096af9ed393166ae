from __future__ import annotations

import pytest

from homeostat.local.watching import LONGEST_PAUSE, SILENT_SECONDS, START_SECONDS, STEADY_SECONDS, Watch


def _started(at: float = 0.0) -> Watch:
    watch = Watch()
    assert watch.step(at, running=False, answers=False, needs_met=True) == "launch"
    return watch


def _ready(at: float = 0.0) -> Watch:
    watch = _started(at)
    watch.step(at, running=True, answers=True, needs_met=True)
    return watch


def _crash_and_relaunch(watch: Watch, at: float) -> float:
    """Ends it at `at`; the seconds until it is launched again."""
    watch.step(at, running=False, answers=False, needs_met=True)
    pause = watch.start_at - at
    assert watch.step(watch.start_at, running=False, answers=False, needs_met=True) == "launch"
    return pause


def test_a_part_waits_for_what_it_needs() -> None:
    watch = Watch()

    assert watch.step(0, running=False, answers=False, needs_met=False) is None
    assert watch.step(1, running=False, answers=False, needs_met=True) == "launch"


def test_a_part_that_answers_is_ready_and_says_after_how_long() -> None:
    watch = _started(at=10)

    watch.step(12.5, running=True, answers=True, needs_met=True)

    assert watch.phase == "ready"
    assert watch.what == "ready after 2.5 s"


def test_each_crash_in_a_row_doubles_the_pause_up_to_a_limit() -> None:
    watch = _started()

    pauses = [_crash_and_relaunch(watch, at=100.0 * number) for number in range(1, 10)]

    assert pauses[:4] == pytest.approx([0.5, 1, 2, 4])
    assert pauses[-1] == LONGEST_PAUSE


def test_a_part_that_was_steady_in_between_starts_again_at_once() -> None:
    watch = _started()
    _crash_and_relaunch(watch, at=10)
    watch.step(11, running=True, answers=True, needs_met=True)

    watch.step(11 + STEADY_SECONDS + 1, running=True, answers=True, needs_met=True)

    assert _crash_and_relaunch(watch, at=200) == pytest.approx(0.5)
    assert watch.restarts == 2


def test_a_part_that_never_gets_ready_is_killed() -> None:
    watch = _started()

    assert watch.step(START_SECONDS - 1, running=True, answers=False, needs_met=True) is None
    assert watch.step(START_SECONDS + 1, running=True, answers=False, needs_met=True) == "kill"


def test_a_part_that_falls_silent_is_killed() -> None:
    watch = _ready()

    assert watch.step(SILENT_SECONDS - 1, running=True, answers=False, needs_met=True) is None
    assert watch.step(SILENT_SECONDS + 1, running=True, answers=False, needs_met=True) == "kill"

    watch.step(SILENT_SECONDS + 2, running=False, answers=False, needs_met=True, status=-9)
    assert watch.what == f"killed, no answer for {SILENT_SECONDS:.0f} s (crash 1): starts again in 0.5 s"


def test_how_a_part_ended_is_told() -> None:
    watch = _ready()

    watch.step(10, running=False, answers=False, needs_met=True, status=3)

    assert watch.what == "ended with status 3 (crash 1): starts again in 0.5 s"


def test_a_part_that_is_asked_to_end_is_killed_when_it_does_not_and_started_again() -> None:
    watch = _ready()

    watch.stop(10, 5, leaving=False)

    assert watch.step(12, running=True, answers=True, needs_met=True) is None
    assert watch.step(16, running=True, answers=True, needs_met=True) == "kill"
    assert watch.step(17, running=False, answers=False, needs_met=True) is None
    assert watch.step(17, running=False, answers=False, needs_met=True) == "launch"
    assert watch.restarts == 0


def test_a_part_that_leaves_is_not_started_again() -> None:
    watch = _ready()

    watch.stop(10, 5, leaving=True)
    watch.step(11, running=False, answers=False, needs_met=True)

    assert watch.phase == "gone"
    assert watch.step(12, running=False, answers=False, needs_met=True) is None
