"""A model answers with a field withheld because it has learned with fields withheld."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import polars as pl
import pytest

from services.trainer.core.candidates import candidates_for
from services.trainer.core.fitting import SHARE_WITH_GAPS, Data, data_of, fitted, outcome_of, with_gaps
from shared.messages import Value
from shared.pipeline.origins import missing_without
from shared.pipeline.specification import Specification

Specified = Callable[..., Specification]


def data_in(stream: pl.DataFrame, specification: Specification) -> Data:
    rows = stream.select(specification.feature_names).to_dicts()
    return data_of(specification, rows, stream["target"].to_list())


def test_a_share_of_the_rows_has_the_inputs_of_one_field_missing_and_the_others_are_as_they_were(
    stream: pl.DataFrame, specified: Specified
) -> None:
    specification = specified()
    data = data_in(stream, specification)
    groups = set(missing_without(specification).values())

    learned = with_gaps(data, seed=3)

    changed = [(row, now) for row, now in zip(data.rows, learned.rows, strict=True) if now is not row]
    assert len(changed) == pytest.approx(SHARE_WITH_GAPS * len(data), rel=0.1)
    for row, now in changed:
        names = tuple(name for name, value in now.items() if value is None and row[name] is not None)
        assert any(set(names) <= set(group) for group in groups)
        assert {**now, **{name: row[name] for name in names}} == row
    assert learned.inputs == data.inputs
    assert with_gaps(data, seed=3).rows == learned.rows


def test_where_one_field_is_all_there_is_and_for_anomalies_rows_stay_whole(
    stream: pl.DataFrame, specified: Specified
) -> None:
    data = data_in(stream, specified())

    assert with_gaps(replace(data, together=data.together[:1]), seed=0).rows is data.rows
    assert with_gaps(replace(data, kind="anomaly"), seed=0).rows is data.rows


@pytest.mark.parametrize("name", ["logistic", "hist-gradient-boosting", "random-forest"])
def test_with_the_field_it_leans_on_withheld_a_model_does_as_well_as_one_made_without_it(
    stream: pl.DataFrame, specified: Specified, name: str
) -> None:
    specification = specified()
    candidate = candidates_for("binary", (name,))[0]
    price = missing_without(specification)["nswprice"]
    data = data_in(stream, specification)
    fit, test = data[: len(data) // 2], data[len(data) // 2 :]

    model = fitted(candidate, candidate.defaults, fit, seed=1)
    bare = fitted(candidate, candidate.defaults, replace(fit, rows=without(fit, price), together=()), seed=1)
    whole = fitted(candidate, candidate.defaults, replace(fit, together=()), seed=1)

    def right(of: object, rows: list[dict[str, Value]] | None = None) -> float:
        outcome = outcome_of(of, rows or test.rows, "binary", test.classes)  # type: ignore[arg-type]
        return float(np.mean(outcome.predicted == test.truth))

    withheld = without(test, price)
    assert right(model, withheld) > right(bare, withheld) - 0.03
    assert right(model, withheld) > right(whole, withheld)
    assert right(model) > right(whole) - 0.01


def without(data: Data, names: tuple[str, ...]) -> list[dict[str, Value]]:
    return [{**row, **dict.fromkeys(names)} for row in data.rows]
