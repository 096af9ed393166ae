"""Ids that were known once: told from ids of nobody's, counted once, bounded."""

from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from services.monitor.core.forgotten import Forgotten
from services.monitor.core.state import pack, unpack


def forget(forgotten: Forgotten, first: int, until: int, *, counted: bool = False) -> None:
    forgotten.remember([f"e{i}" for i in range(first, until)], np.full(until - first, counted))


def test_the_first_label_of_a_forgotten_id_counts_and_no_other_does() -> None:
    forgotten = Forgotten(1000)
    forget(forgotten, 0, 500)
    assert forgotten.count(["e3", "e499", "nobody", "e3"]) == [True, True, None, False]
    assert forgotten.count(["e499", "e4"]) == [False, True]


def test_a_label_that_was_counted_before_the_id_went_is_not_counted_again() -> None:
    forgotten = Forgotten(1000)
    forget(forgotten, 0, 40, counted=True)
    assert forgotten.count(["e3"]) == [False]


def test_an_id_that_came_and_went_twice_is_what_it_was_last() -> None:
    forgotten = Forgotten(64)
    forget(forgotten, 0, 40, counted=True)
    forget(forgotten, 0, 10)
    assert forgotten.count(["e3", "e30"]) == [True, False]


def test_the_oldest_go_once_there_are_enough() -> None:
    forgotten = Forgotten(320)
    for first in range(0, 5000, 7):
        forget(forgotten, first, first + 7)
    assert 320 <= len(forgotten) <= 320 + 30
    newest, oldest = forgotten.count(["e4700", "e100"])
    assert (newest, oldest) == (True, None)


@given(st.lists(st.sampled_from([f"e{i}" for i in range(200)]), max_size=60))
def test_it_counts_what_a_plain_set_would_also_after_a_restart(asked: list[str]) -> None:
    forgotten, counted = Forgotten(1000), set[str]()
    forget(forgotten, 50, 150)
    for begin in range(0, len(asked), 7):
        forgotten = unpack(pack(forgotten), Forgotten)
        part = asked[begin : begin + 7]
        for name, found in zip(part, forgotten.count(part), strict=True):
            known = 50 <= int(name[1:]) < 150
            assert found == ((name not in counted) if known else None)
            counted.add(name)
