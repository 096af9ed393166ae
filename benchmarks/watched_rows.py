"""The whole monitor as its service runs it, on rows made up from a seed: features, answers and labels of 20 fields."""

from __future__ import annotations

import gc
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from time import process_time

import numpy as np

from services.monitor.service import Monitor
from shared.messages import Features, Label, PipelineDefined, Prediction, Value
from shared.pipeline.specification import Specification
from shared.service import Batch

FIELDS = 20
AT = datetime(2026, 1, 1, tzinfo=UTC)
BATCH = 1_000
"""As many as the runtime hands over when there is a backlog, at the least."""

WARM, MEASURED = 10, 60
"""Batches before the rows are counted (the reference is learned, and the first windows), and batches counted."""

NAMES = tuple(f"f{column}" for column in range(FIELDS))
SPECIFICATION = Specification.model_validate(
    {
        "name": "wide",
        "kind": "binary",
        "schema": {**{name: {"type": "number"} for name in NAMES}, "target": {"type": "integer", "allowed": [0, 1]}},
        "target": "target",
        "label_delay": "1h",
        "monitor": {"window": 1000},
    }
)


@dataclass(frozen=True)
class Turn:
    """What comes in together: the same rows' features, answers and labels."""

    now: datetime
    features: Batch[Features]
    predictions: Batch[Prediction]
    labels: Batch[Label]


def rows_a_second() -> float:
    """Rows by second of the processor, the messages made and decoded before."""
    monitor = Monitor()
    defined = PipelineDefined(
        pipeline=SPECIFICATION.name,
        version=1,
        digest=SPECIFICATION.digest,
        specification=SPECIFICATION.canonical,
        at=AT,
        issued_by="bench",
    )
    monitor.on_pipelines(Batch("pipelines", 0, [0], [defined]), AT)
    turns = list(_turns())
    for turn in turns[:WARM]:
        _take(monitor, turn)
    gc.collect()
    begun = process_time()
    for turn in turns[WARM:]:
        _take(monitor, turn)
    return MEASURED * BATCH / (process_time() - begun)


def _take(monitor: Monitor, turn: Turn) -> None:
    monitor.on_features(turn.features, turn.now)
    monitor.on_predictions(turn.predictions, turn.now)
    monitor.on_labels(turn.labels, turn.now)
    monitor.on_tick(turn.now)


def _turns() -> Iterator[Turn]:
    rng = np.random.default_rng(1)
    for first in range(0, (WARM + MEASURED) * BATCH, BATCH):
        chances = rng.random(BATCH)
        truths = (rng.random(BATCH) < chances).astype(int).tolist()
        numbers, offsets = rng.normal(size=(BATCH, FIELDS)).tolist(), list(range(first, first + BATCH))
        rows = list(zip(offsets, numbers, strict=True))
        answers = list(zip(offsets, chances.tolist(), strict=True))
        labels = [Label(pipeline="wide", id=f"e-{k}", label=truth) for k, truth in zip(offsets, truths, strict=True)]
        yield Turn(
            AT + timedelta(seconds=first + BATCH),
            Batch("features", 0, offsets, [_features(number, row) for number, row in rows]),
            Batch("predictions", 0, offsets, [_prediction(number, chance) for number, chance in answers]),
            Batch("labels", 0, offsets, labels),
        )


def _features(number: int, row: list[float]) -> Features:
    values: dict[str, Value] = dict(zip(NAMES, row, strict=True))
    return Features(
        pipeline="wide",
        id=f"e-{number}",
        entity=f"e-{number}",
        source="bench",
        at=AT + timedelta(seconds=number),
        values=values,
        raw=values,
        origin=(0, number),
        definition=SPECIFICATION.definition,
    )


def _prediction(number: int, chance: float) -> Prediction:
    return Prediction(
        pipeline="wide",
        id=f"e-{number}",
        entity=f"e-{number}",
        at=AT,
        prediction=int(chance > 0.5),
        model_version="1",
        probabilities={"0": 1 - chance, "1": chance},
        score=chance,
        origin=(0, number),
    )
