"""Window features online: ten of them over 1,000 keys, as ingest computes them, beside river's rolling statistics.

Rows come in batches, as the runtime hands them over; each gets its ten features, a row as a dictionary in and out on
both sides, and garbage is looked for as seldom as in a service. river has a statistic of its own for each key and
feature, updated row by row. Rows a second of the processor, one thread. Run it with `homeostat bench --only features`.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import asdict
from functools import partial
from time import process_time
from typing import Any, NamedTuple

os.environ.setdefault("POLARS_MAX_THREADS", "1")

import numpy as np
from rich.console import Console
from river import stats, utils

from benchmarks.common import compared, in_turn, keep, options_in_rounds, table_of
from services.ingest.core.features import FeaturePlan
from services.ingest.core.state import Bounds
from services.ingest.settings import IngestSettings
from shared.messages import Value
from shared.pipeline.specification import Specification
from shared.runtime.garbage import collect_seldom

KEYS = 1_000
WARM, ROWS = 25_000, 60_000
BATCHES = (1_000, 4_000)
PEER = "river, row by row"
BOUNDS: Bounds = IngestSettings().bounds


class Asked(NamedTuple):
    """A window feature: its field, statistic and rows."""

    field: str
    statistic: str
    rows: int


FEATURES = (
    Asked("a", "mean", 10),
    Asked("a", "std", 10),
    Asked("a", "min", 20),
    Asked("a", "max", 20),
    Asked("a", "sum", 5),
    Asked("b", "mean", 20),
    Asked("b", "std", 20),
    Asked("b", "median", 9),
    Asked("b", "count", 20),
    Asked("b", "sum", 10),
)
SPECIFICATION = Specification.model_validate(
    {
        "name": "windows",
        "kind": "regression",
        "key": "key",
        "schema": {
            "key": {"type": "string"},
            **{name: {"type": "number"} for name in "ab"},
            "target": {"type": "number"},
        },
        "target": "target",
        "label_delay": "1h",
        "features": {
            f"{field}_{statistic}_{rows}": {"expression": field, "window": rows, "statistic": statistic}
            for field, statistic, rows in FEATURES
        },
    }
)


class Stream(NamedTuple):
    """Rows with their keys, in order."""

    rows: list[dict[str, Value]]
    keys: list[str]


def main() -> int:
    given = options_in_rounds(__doc__).parse_args()
    stream = _stream(np.random.default_rng(20260101))
    collect_seldom()
    workers: dict[str, Callable[[], float]] = {
        f"homeostat, {batch:,} rows at a time": partial(_ours, stream, batch) for batch in BATCHES
    }
    figures = compared(in_turn({**workers, PEER: partial(_rivers, stream)}, given.rounds), PEER)
    Console().print(table_of(figures, f"rows a second, {len(FEATURES)} features", PEER))
    keep([asdict(each) for each in figures], given.json)
    return 0


def _stream(rng: np.random.Generator) -> Stream:
    keys = [f"k-{number}" for number in rng.integers(0, KEYS, WARM + ROWS).tolist()]
    numbers = rng.normal(size=(WARM + ROWS, 2)).tolist()
    return Stream([{"key": key, "a": a, "b": b} for key, (a, b) in zip(keys, numbers, strict=True)], keys)


def _ours(stream: Stream, batch: int) -> float:
    plan = FeaturePlan(SPECIFICATION)
    tails = plan.tails(BOUNDS.keys_of(plan.values_per_key))

    def take(first: int, until: int) -> None:
        for start in range(first, until, batch):
            stop = min(until, start + batch)
            plan.compute(stream.rows[start:stop], stream.keys[start:stop], tails)

    take(0, WARM)
    begun = process_time()
    take(WARM, WARM + ROWS)
    return ROWS / (process_time() - begun)


def _rivers(stream: Stream) -> float:
    known: dict[str, list[Any]] = {}

    def features(row: dict[str, Value], key: str) -> dict[str, float]:
        rolling = known.get(key)
        if rolling is None:
            rolling = known[key] = [_rolling(each) for each in FEATURES]
        for each, statistic in zip(FEATURES, rolling, strict=True):
            statistic.update(row[each.field])
        return dict(zip(SPECIFICATION.feature_names, [statistic.get() for statistic in rolling], strict=True))

    def take(first: int, until: int) -> None:
        for place in range(first, until):
            features(stream.rows[place], stream.keys[place])

    take(0, WARM)
    begun = process_time()
    take(WARM, WARM + ROWS)
    return ROWS / (process_time() - begun)


def _rolling(asked: Asked) -> Any:
    """river's statistic for it. Its count is one of all rows: it has none of a window."""
    moments = {"mean": stats.Mean, "std": stats.Var, "sum": stats.Sum}
    match asked.statistic:
        case "min":
            return stats.RollingMin(asked.rows)
        case "max":
            return stats.RollingMax(asked.rows)
        case "median":
            return stats.RollingQuantile(0.5, asked.rows)
        case "count":
            return stats.Count()
    return utils.Rolling(moments[asked.statistic], window_size=asked.rows)


if __name__ == "__main__":
    raise SystemExit(main())
