"""Which rows are trained on."""

from __future__ import annotations

import pytest

from services.trainer.core.window import as_offsets, cut_of, exhausted, newest, since, tightened, until


def test_the_newest_rows_never_reach_before_the_log_begins() -> None:
    assert newest({0: 95, 1: 0}, {0: 100, 1: 100}, 10) == {0: (95, 100), 1: (90, 100)}
    assert exhausted(newest({0: 95}, {0: 100}, 10), {0: 95})
    assert not exhausted(newest({0: 0}, {0: 100}, 10), {0: 0})


def test_rows_since_a_change_start_at_its_offsets_and_end_where_the_log_does() -> None:
    assert since({0: 0, 1: 50}, {0: 100, 1: 100}, {0: 40, 1: 10}) == {0: (40, 100), 1: (50, 100)}


def test_a_bound_beyond_the_end_changes_nothing() -> None:
    assert until({0: 100, 1: 100}, {0: 70, 1: 900}) == {0: 70, 1: 100}


def test_enough_rows_since_the_change_are_all_that_is_used() -> None:
    cut = cut_of(700, 5000, train_rows=2000, min_rows=500)

    assert (cut.rows, cut.widened) == (700, False)


def test_too_few_rows_since_the_change_are_widened_to_the_newest_and_it_is_said() -> None:
    cut = cut_of(120, 5000, train_rows=2000, min_rows=500)

    assert (cut.rows, cut.widened) == (500, True)
    assert "only 120" in cut.reason
    assert "500" in cut.reason


def test_no_more_than_the_bound_is_used_however_many_there_are() -> None:
    assert cut_of(None, 90_000, train_rows=2000, min_rows=500).rows == 2000
    assert cut_of(3000, 90_000, train_rows=2000, min_rows=500).rows == 2000


def test_ranges_shrink_to_the_rows_that_were_kept() -> None:
    assert tightened({0: (0, 100), 1: (0, 90)}, [0, 0], [40, 70]) == {0: (40, 100), 1: (90, 90)}


@pytest.mark.parametrize("wrong", [{"0": -1}, {"x": 3}, {"0": True}, {"0": "12"}, [1, 2], 7])
def test_offsets_that_are_none_are_refused(wrong: object) -> None:
    with pytest.raises(ValueError, match="offset"):
        as_offsets(wrong)
