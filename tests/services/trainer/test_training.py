"""Training as a pure function: what is held against what."""

from __future__ import annotations

from collections.abc import Callable

import polars as pl

from services.trainer.core.candidates import candidates_for
from services.trainer.core.fitting import data_of, fitted
from services.trainer.core.training import trained
from shared.pipeline.specification import Specification


def test_the_champion_is_compared_only_on_rows_that_it_was_not_fitted_on(
    stream: pl.DataFrame, specified: Callable[..., Specification]
) -> None:
    specification = specified(gate={"min_rows": 50})
    rows, labels = stream[:1000].select(specification.feature_names).to_dicts(), stream[:1000]["target"].to_list()
    champion = fitted(
        candidates_for("binary", ("random-forest",))[0],
        {"depth": 20, "leaf": 1, "features": 1.0},
        data_of(specification, rows[:900], labels[:900]),
        seed=0,
    )
    new = [index >= 900 for index in range(1000)]

    fair = trained(specification, rows, labels, champion=champion, new_to_champion=new, clock=lambda: 0.0)
    unfair = trained(specification, rows, labels, champion=champion, new_to_champion=[True] * 1000, clock=lambda: 0.0)

    assert (fair.verdict.rows, unfair.verdict.rows) == (100, 200)
    assert fair.champion is not None
    assert unfair.champion is not None
    assert fair.champion["accuracy"] < unfair.champion["accuracy"]


def test_a_champion_that_knows_too_many_of_the_rows_is_compared_on_all_and_the_verdict_says_so(
    stream: pl.DataFrame, specified: Callable[..., Specification]
) -> None:
    specification = specified(gate={"min_rows": 50})
    rows, labels = stream[:1000].select(specification.feature_names).to_dicts(), stream[:1000]["target"].to_list()
    champion = fitted(
        candidates_for("binary", ("logistic",))[0], {"c": 1.0}, data_of(specification, rows, labels), seed=0
    )

    result = trained(specification, rows, labels, champion=champion, new_to_champion=[False] * 1000, clock=lambda: 0.0)

    assert result.verdict.rows == 200
    assert "fitted on 200 of these 200 rows" in result.verdict.reason


def test_labels_of_one_class_only_make_no_model(stream: pl.DataFrame, specified: Callable[..., Specification]) -> None:
    specification = specified()
    rows = stream[:400].select(specification.feature_names).to_dicts()

    result = trained(specification, rows, [1] * 400, champion=None, new_to_champion=[True] * 400, clock=lambda: 0.0)

    assert result.model is None
    assert "one class only" in result.verdict.reason
