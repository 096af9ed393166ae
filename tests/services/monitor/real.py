"""Real rows of the electricity example through the monitor, in random order, answered by a fixed model."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.linear_model import LogisticRegression
from sklearn.preprocessing import StandardScaler

from homeostat.rows import frame_of, rows_of
from services.monitor.service import Monitor
from shared.messages import (
    Alert,
    Features,
    Label,
    Metrics,
    PipelineDefined,
    Prediction,
)
from shared.pipeline.load import load
from shared.pipeline.specification import Specification
from shared.service import Batch, Step
from tests.services.monitor.releases import champion

EXAMPLE = Path(__file__).parents[3] / "examples" / "electricity"
START = datetime(2026, 1, 1, tzinfo=UTC)
BATCH = 50
LABEL_LAG = 96
INPUTS = ("day", "period", "nswprice", "nswdemand", "vicprice", "vicdemand", "transfer")


class History:
    """The example's rows with the answers and probabilities of one logistic regression."""

    def __init__(self) -> None:
        self.table = rows_of(frame_of(str(EXAMPLE / "data.parquet")))
        inputs = StandardScaler().fit_transform(
            np.array([[float(row[name] or 0.0) for name in INPUTS] for row in self.table])
        )
        self.truth = np.array([int(row["target"]) for row in self.table])
        model = LogisticRegression().fit(inputs[:8000], self.truth[:8000])
        self.score = model.predict_proba(inputs)[:, 1]
        self.answer = (self.score > 0.5).astype(int)


def specification(**monitor: Any) -> Specification:
    document = load(EXAMPLE / "pipeline.yaml").canonical
    return Specification.model_validate({**document, "monitor": {**document["monitor"], **monitor}})


class Replay:
    """Half-hourly rows in the order of `order`, one batch a second; labels come 96 rows late."""

    def __init__(self, history: History, spec: Specification, *, seed: int = 0) -> None:
        self.history, self.spec = history, spec
        self.rng = np.random.default_rng(seed)
        self.order = self.rng.permutation(len(history.table))
        self.monitor = Monitor()
        self.now, self.row, self.version = START, 0, "1"
        self.said: list[tuple[int, object]] = []
        self.unsent: list[Label] = []
        self.define(spec)

    def define(self, spec: Specification) -> None:
        message = PipelineDefined(
            pipeline=spec.name, version=1, digest=spec.digest, specification=spec.canonical, at=START, issued_by="test"
        )
        self._keep(self.monitor.on_pipelines(Batch("pipelines", 0, [0], [message]), self.now))

    def publish(self, version: str) -> None:
        """Another version of the model answers from now on (by the same rule)."""
        self.version = version
        message = champion(self.spec, version, INPUTS)
        self._keep(self.monitor.on_model_published(Batch("model-published", 0, [0], [message]), self.now))

    def branch(self) -> Replay:
        """The same monitor at the same row, restored from its state: what is done to it harms no other."""
        other = Replay(self.history, self.spec)
        other.order, other.now, other.row = self.order, self.now, self.row
        other.unsent, other.said = list(self.unsent), []
        other.monitor.restore(self.monitor.save())
        return other

    def run(
        self,
        rows: int,
        *,
        fields: Callable[[int], Mapping[str, Any]] = lambda _: {},
        wrong: Callable[[NDArray[np.int64]], NDArray[np.bool_]] | None = None,
        waits: Callable[[int], NDArray[np.float64]] | None = None,
        labels: bool = True,
    ) -> None:
        """`fields` replaces fields of a row, `wrong` turns answers round, `waits` says how long they took."""
        for begin in range(self.row, self.row + rows, BATCH):
            chosen = self.order[begin : begin + BATCH]
            turned = np.zeros(BATCH, bool) if wrong is None else wrong(chosen)
            self._rows(chosen, fields, turned, None if waits is None else waits(BATCH))
            due = max(0, len(self.unsent) - LABEL_LAG) if labels else 0
            sent, self.unsent = self.unsent[:due], self.unsent[due:]
            if sent:
                self.send_labels(sent)
            self.now += timedelta(seconds=1)
            self._keep(self.monitor.on_tick(self.now))

    def _rows(
        self,
        chosen: NDArray[np.int64],
        fields: Callable[[int], Mapping[str, Any]],
        turned: NDArray[np.bool_],
        waits: NDArray[np.float64] | None,
    ) -> None:
        name, offsets = self.spec.name, list(range(self.row, self.row + len(chosen)))
        features, answers = [], []
        for place, which in enumerate(chosen.tolist()):
            row = {**self.history.table[which], **fields(which)}
            label = row.pop("target")
            event = f"row-{self.row + place}"
            at = START + timedelta(minutes=30 * (self.row + place))
            common: dict[str, Any] = {"pipeline": name, "id": event, "entity": "NSW", "at": at, "origin": (0, place)}
            features.append(Features(**common, source="market", values={}, raw=row, definition="d"))
            score = float(self.history.score[which])
            answer = int(self.history.answer[which])
            answers.append(
                Prediction(
                    **common,
                    prediction=1 - answer if turned[place] else answer,
                    model_version=self.version,
                    probabilities={"0": 1 - score, "1": score},
                    score=score,
                    received_at=None if waits is None else self.now - timedelta(seconds=float(waits[place])),
                )
            )
            self.unsent.append(Label(pipeline=name, id=event, label=int(label)))
        self.row += len(chosen)
        self._keep(self.monitor.on_features(Batch("features", 0, offsets, features), self.now))
        self._keep(self.monitor.on_predictions(Batch("predictions", 0, offsets, answers), self.now))

    def send_labels(self, labels: list[Label]) -> None:
        self._keep(self.monitor.on_labels(Batch("labels", 0, list(range(len(labels))), labels), self.now))

    def _keep(self, step: Step) -> None:
        self.said += [(self.row, out.message) for out in step.messages]

    def alerts(self, kind: str | None = None) -> list[tuple[int, Alert]]:
        return [(row, m) for row, m in self.said if isinstance(m, Alert) and kind in (None, m.kind)]

    def metrics(self, family: str) -> list[Metrics]:
        return [m for _, m in self.said if isinstance(m, Metrics) and m.family == family]
