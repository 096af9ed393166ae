"""What the benchmark of online learners holds side by side are answers to the same rows."""

from __future__ import annotations

import random

import polars as pl
import pytest

from benchmarks import learning


def stream(labels: list[object]) -> learning.Stream:
    rng = random.Random(2)
    rows = [{"a": rng.gauss(0, 1), "b": rng.choice(["x", "y", None]), "label": label} for label in labels]
    return learning._stream("some", pl.DataFrame(rows), "label")


@pytest.mark.parametrize("kinds", [2, 3])
def test_both_answer_each_row_alike_where_the_target_is_a_class(kinds: int) -> None:
    given = stream([f"class {i * 7 % 11 % kinds}" for i in range(300)])

    ours, rivers = learning._by_blocks(given, 100), learning._by_rows(given)

    assert learning._apart(given, ours, rivers) == 0
    assert learning._measured(given, ours) == learning._measured(given, rivers)


def test_both_answer_each_row_alike_where_the_target_is_a_number() -> None:
    given = stream([float(i % 13) for i in range(300)])

    assert learning._apart(given, learning._by_blocks(given, 100), learning._by_rows(given)) < 1e-9


def test_answers_that_differ_are_counted() -> None:
    given = stream(["yes" if i % 2 else "no" for i in range(10)])

    assert learning._apart(given, [0, 1] * 5, [0, 1] * 4 + [1, 0]) == 2
    assert learning._measured(given, [0, 1] * 4 + [1, 0]) == 0.8
