"""Workers are taken in turn, and what they show is compared round by round."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from benchmarks.common import compared, in_turn, keep, ratio_of


def test_workers_are_taken_in_turn_and_at_least_three_times() -> None:
    seen: list[str] = []

    def worker(name: str) -> float:
        seen.append(name)
        return float(len(seen))

    found = in_turn({"a": lambda: worker("a"), "b": lambda: worker("b")}, rounds=1)

    assert seen == ["a", "b"] * 3
    assert found == {"a": [1, 3, 5], "b": [2, 4, 6]}


def test_a_round_that_was_slow_for_all_changes_no_ratio() -> None:
    assert ratio_of([20, 2, 20], [10, 1, 10]) == 2


def test_figures_stand_beside_the_reference_which_is_one_of_them() -> None:
    ours, theirs = compared({"ours": [4.0, 6.0, 5.0], "theirs": [2.0, 2.0, 1.0]}, "theirs")

    assert (ours.worker, ours.median, ours.ratio) == ("ours", 5.0, 3.0)
    assert theirs.ratio == 1.0


def test_rounds_that_one_of_them_missed_are_not_compared() -> None:
    with pytest.raises(ValueError, match="zip"):
        compared({"ours": [4.0], "theirs": [2.0, 2.0]}, "theirs")


def test_figures_are_kept_where_a_path_is_given(tmp_path: Path) -> None:
    keep({"rate": 1}, tmp_path / "figures.json")
    keep({"rate": 1}, None)

    assert json.loads((tmp_path / "figures.json").read_text()) == {"rate": 1}
