"""The search: what it depends on, and what ends it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from itertools import count

import polars as pl
import pytest

from services.trainer.core.candidates import candidates_for
from services.trainer.core.fitting import Data, data_of
from services.trainer.core.search import Found, NothingFitsError, search
from shared.pipeline.specification import Specification

NAMES = ("logistic", "river-logistic")


@pytest.fixture(scope="module")
def data(stream: pl.DataFrame, specified: Callable[..., Specification]) -> Data:
    specification = specified()
    rows = stream.head(400)
    return data_of(specification, rows.select(specification.feature_names).to_dicts(), rows["target"].to_list())


def found(data: Data, *, trials: int, seconds: float = 1e9, clock: Iterator[int] | None = None) -> Found:
    ticks = clock or count()
    return search(
        candidates_for("binary", NAMES),
        data,
        metric="accuracy",
        fold_count=2,
        seed=7,
        trials=trials,
        seconds=seconds,
        clock=lambda: float(next(ticks)),
    )


def test_the_same_seed_and_trials_find_the_same(data: Data) -> None:
    assert found(data, trials=6) == found(data, trials=6)


def test_every_default_is_tried_before_anything_else(data: Data) -> None:
    attempts = found(data, trials=3).attempts

    assert [each.candidate for each in attempts[:2]] == list(NAMES)
    assert len(attempts) == 5


def test_the_best_attempt_is_the_highest_where_higher_is_better(data: Data) -> None:
    result = found(data, trials=4)

    assert result.best.value == max(each.value or 0 for each in result.attempts)


def test_a_search_that_is_off_compares_the_defaults_whatever_the_clock_says(data: Data) -> None:
    for result in (found(data, trials=0, seconds=1.0), found(data, trials=5, seconds=0)):
        assert len(result.attempts) == 2
        assert not result.cut


def test_the_time_budget_only_cuts_the_list_short(data: Data) -> None:
    whole = found(data, trials=6)

    cut = found(data, trials=6, seconds=14.0)

    assert cut.cut
    assert 1 <= len(cut.attempts) < len(whole.attempts)
    assert cut.attempts == whole.attempts[: len(cut.attempts)]


def test_one_attempt_is_finished_even_without_any_time(data: Data) -> None:
    result = found(data, trials=6, seconds=1e-9)

    assert len(result.attempts) == 1
    assert result.cut


def test_rows_that_nothing_fits_are_told_with_the_reasons(data: Data) -> None:
    one_class = Data(data.kind, data.rows, data.truth * 0, data.inputs, data.classes)

    with pytest.raises(NothingFitsError, match="logistic"):
        search(
            candidates_for("binary", ("logistic",)),
            one_class,
            metric="accuracy",
            fold_count=2,
            seed=0,
            trials=0,
            seconds=0,
            clock=lambda: 0.0,
        )
