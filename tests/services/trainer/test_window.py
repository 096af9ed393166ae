"""Which rows are trained on."""

from __future__ import annotations

import pytest

from services.trainer.core.window import Cut, as_offsets, depth_of, exhausted, lengths_of, newest, tightened, until


def test_as_deep_is_read_as_the_rows_asked_for_need_where_one_partition_holds_all_of_them() -> None:
    assert depth_of({0: 0, 1: 0, 2: 7}, {0: 100, 1: 0, 2: 7}, 60) == 60
    assert depth_of({0: 0, 1: 0}, {0: 100, 1: 20}, 60) == 40
    assert depth_of({0: 5}, {0: 30}, 60) == 25
    assert depth_of({}, {}, 60) == 0


def test_the_newest_rows_never_reach_before_the_log_begins() -> None:
    assert newest({0: 95, 1: 0}, {0: 100, 1: 100}, 10) == {0: (95, 100), 1: (90, 100)}
    assert exhausted(newest({0: 95}, {0: 100}, 10), {0: 95})
    assert not exhausted(newest({0: 0}, {0: 100}, 10), {0: 0})


def test_a_bound_beyond_the_end_changes_nothing() -> None:
    assert until({0: 100, 1: 100}, {0: 70, 1: 900}) == {0: 70, 1: 100}


def test_all_rows_halves_of_them_and_those_since_the_change_may_be_learned_from() -> None:
    assert lengths_of(4000, 700, 400) == (4000, 2000, 1000, 700, 500)
    assert lengths_of(4000, None, 400) == (4000, 2000, 1000, 500)
    assert lengths_of(300, 20, 400) == (300,)


def test_a_cut_says_how_many_of_its_rows_come_since_the_change() -> None:
    assert Cut(2000).reason == "the newest 2000 labelled rows"
    assert Cut(2000, 120).reason == "the newest 2000 labelled rows, 120 of them since the change"
    assert Cut(2000, 120).newest(100) == Cut(100, 100)
    assert Cut(100, 100).reason == "100 labelled rows since the change"
    assert [Cut(2000, 120).widened, Cut(100, 100).widened, Cut(2000).widened] == [True, False, False]


def test_ranges_shrink_to_the_rows_that_were_kept() -> None:
    assert tightened({0: (0, 100), 1: (0, 90)}, [0, 0], [40, 70]) == {0: (40, 100), 1: (90, 90)}


@pytest.mark.parametrize("wrong", [{"0": -1}, {"x": 3}, {"0": True}, {"0": "12"}, [1, 2], 7])
def test_offsets_that_are_none_are_refused(wrong: object) -> None:
    with pytest.raises(ValueError, match="offset"):
        as_offsets(wrong)
