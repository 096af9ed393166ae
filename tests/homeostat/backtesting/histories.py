"""Small histories in which something happens."""

from __future__ import annotations

import random
from typing import Any

from shared.pipeline.specification import Specification

SPECIFICATION = Specification.model_validate(
    {
        "name": "shop",
        "kind": "binary",
        "schema": {
            "id": {"type": "string"},
            "at": {"type": "timestamp"},
            "shop": {"type": "string"},
            "amount": {"type": "number", "nullable": True},
            "visits": {"type": "integer", "range": [0, 1000]},
            "churned": {"type": "boolean"},
        },
        "id": "id",
        "key": "shop",
        "timestamp": "at",
        "target": "churned",
        "label_delay": "30m",
        "features": {
            "amount": "amount",
            "visits": "visits",
            "before": {"expression": "amount", "lag": 1},
            "usual": {"expression": "amount", "window": 5, "min_rows": 2},
            "gap": "amount - usual",
        },
        "models": {"min_rows": 300, "train_rows": 600, "candidates": ["logistic"], "search": {"trials": 0}},
        "monitor": {"window": 200, "performance_window": 100, "reference_rows": 600},
    }
)


def eventful(count: int = 6000, turn: int = 2500, wrong: range = range(4000, 4600)) -> list[dict[str, Any]]:
    """A concept that turns at a row, a field in the wrong unit for some; refused and repeated rows."""
    rng = random.Random(7)
    rows: list[dict[str, Any]] = []
    for i in range(count):
        amount, visits = rng.gauss(10, 3), rng.randrange(20)
        side = amount + visits / 4 + rng.gauss(0, 1) > 12.5
        rows.append(
            {
                "id": f"r{i}",
                "at": f"2026-01-{1 + i // 1440:02}T{i // 60 % 24:02}:{i % 60:02}:00.000000Z",
                "shop": f"s{rng.randrange(3)}",
                "amount": None if rng.random() < 0.02 else round(amount * (1000 if i in wrong else 1), 3),
                "visits": visits,
                "churned": side if i < turn else not side,
            }
        )
    for i in range(100, count, 700):
        rows[i]["visits"] = -1
        rows[i + 1] = {**rows[i - 1]}
        rows[i + 3]["id"] = rows[i + 2]["id"]
        rows[i + 4]["churned"] = None
    return rows
