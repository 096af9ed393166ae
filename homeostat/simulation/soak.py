"""Whether state stays bounded, however long a stream is: the data path fed by hand, without a log that would grow.

The services' steps are those of the runtime; what they return is handed on and forgotten.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from random import Random
from typing import Any, NamedTuple

import msgspec

from homeostat.simulation.assembly import Knobs, services_of
from homeostat.simulation.simulation import KEY, START, definition_of, event_of, label_of
from homeostat.simulation.world import specification_of
from shared.messages import Features, Label, Prediction, RawRecord
from shared.models.store import MemoryStore
from shared.pipeline.specification import Specification
from shared.runtime.task import Task
from shared.service import Batch, Step
from shared.topics import FEATURES, LABELS, PIPELINES, PREDICTIONS, RAW_DATA, Topic

BATCH = 1000
KEYS = 5_000
FULL = 0.5
"""The share of a stream after which no state may grow."""
GROWTH = 1.05


class Sizes(NamedTuple):
    """Bytes of each service's saved state after so many rows."""

    rows: int
    bytes: dict[str, int]


def sizes(rows: int, samples: int = 20, knobs: Knobs | None = None) -> Iterator[Sizes]:
    """Feeds `rows` labelled rows of `KEYS` keys through ingest, predictor and monitor; weighs them `samples` times."""
    stream = _Stream(specification_of("binary"), knobs or Knobs())
    every = max(1, rows // BATCH // samples)
    for number in range(1, rows // BATCH + 1):
        stream.feed(number)
        if number % every == 0:
            yield Sizes(number * BATCH, stream.sizes())


def growing(found: list[Sizes]) -> dict[str, tuple[int, int]]:
    """The services whose state still grew in the second half of the stream: bytes at its middle and at its end."""
    middle = next(one for one in found if one.rows >= found[-1].rows * FULL)
    end = found[-1].bytes
    return {name: (size, end[name]) for name, size in middle.bytes.items() if end[name] > size * GROWTH + 1000}


class _Stream:
    def __init__(self, specification: Specification, knobs: Knobs) -> None:
        self._specification = specification
        makers = services_of(knobs, MemoryStore(), KEY)
        self._services: dict[str, Any] = {
            name: makers[name](Task(name, None if name == "monitor" else 0))
            for name in ("ingest", "predictor", "monitor")
        }
        self._offsets: dict[str, int] = {}
        self._rng = Random("soak")
        definition = definition_of(specification, 1, START)
        for name, service in self._services.items():
            self._hand(PIPELINES, [definition], service.on_pipelines, 0, name)

    def feed(self, number: int) -> None:
        """One batch of rows with their labels, one virtual second after the last."""
        raw = [record for index in range(BATCH) for record in self._row(number * BATCH + index)]
        made = self._hand(RAW_DATA, raw, self._services["ingest"].on_raw_data, number)
        features, labels = _of(made, Features), _of(made, Label)
        answers = _of(self._hand(FEATURES, features, self._services["predictor"].on_features, number), Prediction)
        monitor = self._services["monitor"]
        self._hand(FEATURES, features, monitor.on_features, number, "monitor")
        self._hand(PREDICTIONS, answers, monitor.on_predictions, number, "monitor")
        self._hand(LABELS, labels, monitor.on_labels, number, "monitor")
        for service in self._services.values():
            service.on_tick(START + timedelta(seconds=number))

    def sizes(self) -> dict[str, int]:
        return {name: len(service.save()) for name, service in self._services.items()}

    def _row(self, index: int) -> list[RawRecord]:
        at = START + timedelta(seconds=index / BATCH)
        heat, load, flow = (self._rng.random() for _ in range(3))
        row = {"id": f"row-{index}", "at": at.isoformat(), "line": f"line-{self._rng.randrange(KEYS)}"}
        event = event_of(self._specification, {**row, "heat": heat, "load": load, "flow": flow}, "plant", at)
        return [event, label_of(self._specification, row["id"], int(heat > load), "office", at)]

    def _hand(self, topic: Topic[Any], found: list[Any], handler: Any, number: int, reader: str = "") -> Step:
        if not found:
            return Step()
        start = self._offsets.get(reader + topic.name, 0)
        self._offsets[reader + topic.name] = start + len(found)
        batch = Batch(topic.name, 0, range(start, start + len(found)), found)
        step: Step = handler(batch, START + timedelta(seconds=number))
        return step


def _of(step: Step, kind: type[msgspec.Struct]) -> list[Any]:
    return [out.message for out in step.messages if isinstance(out.message, kind)]
