"""The story without the system: its features computed over history, and what a fixed model answers to them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from homeostat.demo.story import Story
from services.ingest.core.features import FeaturePlan
from shared.messages import Value
from shared.models.base import Model
from shared.pipeline.contract import Contract, Row
from shared.pipeline.specification import Specification

CHUNK = 5000


def features_of(specification: Specification, rows: Sequence[Mapping[str, Any]]) -> list[dict[str, Value]]:
    """The features of rows in stream order, as ingest makes them."""
    contract, plan = Contract(specification), FeaturePlan(specification)
    tails = plan.tails(most_keys=1000)
    found: list[dict[str, Value]] = []
    for start in range(0, len(rows), CHUNK):
        checked = [contract.check_row(row) for row in rows[start : start + CHUNK]]
        kept = [row.values for row in checked if isinstance(row, Row)]
        found += plan.compute(kept, [str(row.get(specification.key or "")) for row in kept], tails)
    return found


def never_retrained(
    specification: Specification, story: Story, table: Sequence[Mapping[str, Any]], first_model: Model
) -> dict[int, bool]:
    """By row, whether the first model alone, with nobody to heal anything, would have answered rightly."""
    target = str(specification.target)
    rows = [story.row(index, table[index]) for index in range(story.rows)]
    features = features_of(specification, rows)
    right: dict[int, bool] = {}
    for start in range(story.warm_up, len(features), CHUNK):
        answers = first_model.answer(features[start : start + CHUNK]).predictions
        right.update({start + i: answer == table[start + i][target] for i, answer in enumerate(answers)})
    return right
