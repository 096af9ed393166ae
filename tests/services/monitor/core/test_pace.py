from __future__ import annotations

import numpy as np

from services.monitor.core.pace import Pace

RATE = 1e-3


def test_with_one_answer_in_a_hundred_late_alarms_are_as_rare_as_asked() -> None:
    rng = np.random.default_rng(0)
    pace, alarms, blocks = Pace(), 0, 4000

    for second in range(0, 5 * blocks, 5):
        pace.take(np.where(rng.random(100) < 0.01, 2.0, 0.1), float(second))
        if pace.tick(second + 5.0, 1.0, RATE) == "late":
            alarms += 1
            pace.end()

    assert alarms <= blocks * RATE


def test_answers_of_an_idle_stream_wait_for_enough_others() -> None:
    pace = Pace()

    for second in range(0, 495, 5):
        pace.take(np.array([9.0]), float(second))
        assert pace.tick(second + 5.0, 1.0, RATE) == "as before"

    assert np.isnan(pace.p99)


def test_the_objective_is_held_against_the_newest_block() -> None:
    pace = Pace()

    pace.take(np.full(200, 0.2), 0.0)
    pace.tick(5.0, 1.0, RATE)

    assert (pace.p99, pace.share) == (0.2, 0.0)


def test_a_pause_of_a_few_seconds_is_no_alarm_however_many_answers_it_delays() -> None:
    pace, told = Pace(), []

    for second in range(120):
        pace.take(np.full(1000, 3.0 if 50 <= second < 54 else 0.1), float(second))
        told.append(pace.tick(second + 1.0, 1.0, RATE))

    assert set(told) == {"as before"}
