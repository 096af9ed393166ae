"""A stream of made-up rows through the monitor, with a model that follows the rule of the labels."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import UTC, datetime, timedelta

import numpy as np
import pytest

from services.monitor.service import Monitor
from services.monitor.settings import MonitorSettings
from shared.codec import encode
from shared.messages import (
    Alert,
    DeadLetter,
    Features,
    Label,
    Metrics,
    PipelineDefined,
    Prediction,
)
from shared.pipeline.specification import Specification
from shared.service import Batch, Step
from tests.services.monitor.releases import champion

START = datetime(2026, 3, 1, tzinfo=UTC)


def specification(**changes: object) -> Specification:
    plain: dict[str, object] = {
        "name": "shop",
        "kind": "binary",
        "schema": {
            "id": {"type": "string"},
            "price": {"type": "number"},
            "load": {"type": "number"},
            "colour": {"type": "string"},
            "target": {"type": "integer"},
        },
        "id": "id",
        "target": "target",
        "monitor": {"reference_rows": 1000},
    }
    return Specification.model_validate(plain | changes)


class Stream:
    """Feeds the monitor rows, answers and labels, and keeps what it says with the row it said it at."""

    def __init__(
        self,
        spec: Specification,
        *,
        seed: int = 0,
        delay: int = 0,
        error: float = 0.1,
        settings: MonitorSettings | None = None,
    ) -> None:
        self.spec, self.delay, self.error = spec, delay, error
        self.rng = np.random.default_rng(seed)
        self.monitor = Monitor(settings)
        self.now = START
        self.row = 0
        self.behind = 0
        self.failing = 0.0
        self.unanswered: list[tuple[str, int, int]] = []
        self.version = ""
        self.said: list[tuple[int, object]] = []
        self.waiting: list[Label] = []
        defined = PipelineDefined(
            pipeline=spec.name,
            version=1,
            digest=spec.digest,
            specification=spec.canonical,
            at=START,
            issued_by="person:test",
        )
        self.take(self.monitor.on_pipelines(Batch("pipelines", 0, [0], [defined]), self.now))

    def take(self, step: Step) -> None:
        self.said += [(self.row, out.message) for out in step.messages]
        for out in step.messages:
            encode(out.message)

    def publish(self, version: str, *, accuracy: float | None = None, command: str | None = None) -> None:
        metrics = None if accuracy is None else {"accuracy": accuracy}
        message = champion(self.spec, version, ("price", "load"), metrics=metrics, command=command)
        self.version = version
        self.take(self.monitor.on_model_published(Batch("model-published", 0, [0], [message]), self.now))

    def run(
        self,
        rows: int,
        *,
        change: Callable[[dict[str, object]], dict[str, object]] = lambda row: row,
        error: float | None = None,
        sources: Sequence[str] = ("till",),
        withheld: tuple[str, ...] = (),
        labels: bool = True,
        batch: int = 50,
    ) -> None:
        """`rows` events in batches: features, predictions, the labels that are due, a tick.

        The newest `behind` features are not answered yet, as by a predictor with a backlog.
        """
        for _ in range(rows // batch):
            events = [self._event() for _ in range(batch)]
            truths = [int(e["price"] + e["load"] > 30) for e in events]  # type: ignore[operator]
            names = [f"e{self.row + i}" for i in range(batch)]
            offsets = list(range(self.row, self.row + batch))
            features = [
                Features(
                    pipeline=self.spec.name,
                    id=name,
                    entity=name,
                    source=sources[i % len(sources)],
                    at=self.now,
                    values={},
                    raw=change(dict(event)),  # type: ignore[arg-type]
                    origin=(0, offset),
                    definition="d",
                    withheld=withheld,
                )
                for i, (name, event, offset) in enumerate(zip(names, events, offsets, strict=True))
            ]
            self.unanswered += zip(names, truths, offsets, strict=True)
            now_due = max(0, len(self.unanswered) - self.behind)
            wrong = self.rng.random(now_due) < (self.error if error is None else error)
            answers = [
                self._answer(n, t, bool(w), o) for (n, t, o), w in zip(self.unanswered[:now_due], wrong, strict=True)
            ]
            self.unanswered = self.unanswered[now_due:]
            if labels:
                self.waiting += [
                    Label(pipeline=self.spec.name, id=n, label=t) for n, t in zip(names, truths, strict=True)
                ]
            self.row += batch
            self.take(self.monitor.on_features(Batch("features", 0, offsets, features), self.now))
            self.answer(answers)
            due = max(0, len(self.waiting) - self.delay)
            self.label(self.waiting[:due])
            self.waiting = self.waiting[due:]
            self.tick()

    def answer(self, answers: Sequence[Prediction]) -> None:
        if answers:
            offsets = [answer.origin[1] for answer in answers]
            self.take(self.monitor.on_predictions(Batch("predictions", 0, offsets, list(answers)), self.now))

    def label(self, labels: Sequence[Label]) -> None:
        if labels:
            self.take(self.monitor.on_labels(Batch("labels", 0, list(range(len(labels))), list(labels)), self.now))

    def tick(self, seconds: float = 1.0) -> None:
        self.now += timedelta(seconds=seconds)
        self.take(self.monitor.on_tick(self.now))

    def alerts(self, kind: str | None = None, *, state: str | None = None) -> list[tuple[int, Alert]]:
        """What was alerted, infos left out unless their kind is asked for."""
        return [
            (row, m)
            for row, m in self.said
            if isinstance(m, Alert)
            and (m.kind == kind if kind else m.severity != "info")
            and (state is None or m.state == state)
        ]

    def metrics(self, family: str) -> list[Metrics]:
        return [m for _, m in self.said if isinstance(m, Metrics) and m.family == family]

    def dead(self) -> list[DeadLetter]:
        return [m for _, m in self.said if isinstance(m, DeadLetter)]

    def _event(self) -> dict[str, object]:
        return {
            "price": float(10 + self.rng.gamma(4.0, 2.0)),
            "load": float(self.rng.normal(12, 4)),
            "colour": str(self.rng.choice(["red", "green", "blue"])),
        }

    def _answer(self, name: str, truth: int, wrong: bool, offset: int) -> Prediction:
        common = {"pipeline": self.spec.name, "id": name, "entity": name, "at": self.now, "origin": (0, offset)}
        if not self.version:
            return Prediction(**common, prediction=None, model_version="", role="none", reason="no model")  # type: ignore[arg-type]
        if self.failing and self.rng.random() < self.failing:
            reason = "model-failed: its file is damaged"
            return Prediction(
                **common,  # type: ignore[arg-type]
                prediction=None,
                model_version=self.version,
                reason=reason,
            )
        answer = 1 - truth if wrong else truth
        score = 1.0 - self.error if answer else self.error
        return Prediction(
            **common,  # type: ignore[arg-type]
            prediction=answer,
            model_version=self.version,
            probabilities={"0": 1 - score, "1": score},
            score=score,
        )


@pytest.fixture
def stream() -> Callable[..., Stream]:
    """Makes a stream; with ``warm=rows`` a model has been live for so many rows."""

    def make(
        *,
        warm: int = 0,
        seed: int = 0,
        delay: int = 0,
        spec: Specification | None = None,
        settings: MonitorSettings | None = None,
    ) -> Stream:
        made = Stream(spec or specification(), seed=seed, delay=delay, settings=settings)
        if warm:
            made.run(1000)
            made.publish("1", accuracy=0.9)
            made.run(warm)
        return made

    return make


@pytest.fixture
def spec() -> Callable[..., Specification]:
    return specification
