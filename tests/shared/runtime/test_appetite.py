"""How many records a turn takes."""

from __future__ import annotations

import pytest

from shared.runtime.appetite import LEAST, Appetite


def turns(appetite: Appetite, count: int, *, fixed: float, per_record: float) -> int:
    for _ in range(count):
        appetite.took(appetite.records, fixed + per_record * appetite.records)
    return appetite.records


def test_quick_steps_come_to_take_all_they_may() -> None:
    assert turns(Appetite(5_000), 10, fixed=0.001, per_record=1e-5) == 5_000


def test_slow_rows_come_in_steps_of_about_a_second() -> None:
    assert 500 <= turns(Appetite(5_000), 20, fixed=0.0, per_record=1e-3) <= 1_000


@pytest.mark.parametrize("fixed", [1.1, 30.0])
def test_what_each_step_costs_anyhow_does_not_starve_the_rest(fixed: float) -> None:
    assert turns(Appetite(5_000), 50, fixed=fixed, per_record=1e-5) == LEAST


def test_one_slow_step_is_recovered_from() -> None:
    appetite = Appetite(5_000)
    appetite.took(1_000, 60.0)

    assert turns(appetite, 10, fixed=0.1, per_record=1e-5) == 5_000


def test_a_few_records_that_took_long_take_no_more_than_the_least() -> None:
    appetite = Appetite(5_000)

    assert appetite.took(3, 9.0) == LEAST


def test_fewer_than_the_least_may_be_asked_for() -> None:
    assert turns(Appetite(2), 5, fixed=3.0, per_record=0.0) == 2
