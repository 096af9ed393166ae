"""The predictor as a service: features in, predictions out, versions swapped between two batches."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Final

import msgspec

from services.predictor.board import Board, View
from services.predictor.core.releases import Live, after
from services.predictor.core.score import NOBODY, predictions_of
from shared.errors import Poison
from shared.messages import CommandResult, DeadLetter, FeatureRow, ModelPublished, PipelineDefined, Value
from shared.models.artifact import ModelCache
from shared.models.base import Answers, Model
from shared.models.metadata import ModelMetadata
from shared.service import NOTHING, Batch, Job, JobResult, Step
from shared.topics import COMMAND_RESULTS, DEAD_LETTERS, PREDICTIONS, Out

NAME: Final = "predictor"

ANSWERING_TASK: Final = 0
"""Every task hears every publication; this partition's answers for all."""


class State(msgspec.Struct):
    """All that outlives a step. `position` is the last offset read of `model-published`, from 0."""

    live: dict[str, Live] = {}
    pipelines: set[str] = set()
    position: int = -1
    unanswered: dict[str, int] = {}


class Predictor:
    """One prediction per features record, in order, whatever becomes of the models.

    Models come from `models` by content hash, so a replayed step answers the same. A publication
    whose artefact is refused changes nothing; one whose artefact is not there yet is `Transient`. A live
    version whose artefact is damaged or lost answers null, with the reason; other pipelines go on.
    """

    def __init__(self, partition: int | None, models: ModelCache, board: Board) -> None:
        self._partition = partition
        self._models = models
        self._board = board
        self._state = State()

    def on_pipelines(self, batch: Batch[PipelineDefined], now: datetime) -> Step:
        for message in batch.messages:
            if message.removed:
                self._state.pipelines.discard(message.pipeline)
                self._state.live.pop(message.pipeline, None)
                self._state.unanswered.pop(message.pipeline, None)
            else:
                self._state.pipelines.add(message.pipeline)
        self._show()
        return NOTHING

    def on_model_published(self, batch: Batch[ModelPublished], now: datetime) -> Step:
        live = dict(self._state.live)
        refusals: list[Out] = []
        for index, message in enumerate(batch.messages):
            try:
                if message.stage != "retired":
                    self._check(message)
                live[message.pipeline] = after(live.get(message.pipeline, NOBODY), message)
            except Poison as poison:
                refusals += self._refusal(batch, index, poison, now)
        self._state.live = live
        self._state.position = batch.offsets[-1]
        self._show()
        return Step(refusals)

    def on_features(self, batch: Batch[FeatureRow], now: datetime) -> Step:
        partition = batch.partition
        origins = [(partition, offset) for offset in batch.offsets]
        predictions = predictions_of(batch.messages, origins, self._state.live, self._model)
        for prediction in predictions:
            if prediction.reason is not None:
                count = self._state.unanswered.get(prediction.pipeline, 0)
                self._state.unanswered[prediction.pipeline] = count + 1
        traces = batch.traces or [None] * len(batch)
        return Step([Out(PREDICTIONS, one, trace) for one, trace in zip(predictions, traces, strict=True)])

    def on_tick(self, now: datetime) -> Step:
        self._show()
        return NOTHING

    def on_job(self, result: JobResult, now: datetime) -> Step:
        return NOTHING

    def pending_jobs(self) -> list[Job]:
        return []

    def save(self) -> bytes:
        return msgspec.json.encode(self._state, order="deterministic")

    def restore(self, state: bytes) -> None:
        self._state = msgspec.json.decode(state, type=State)

    def gauges(self) -> dict[tuple[str, tuple[tuple[str, str], ...]], float]:
        """The champions' versions; one task tells for all."""
        if self._partition not in (ANSWERING_TASK, None):
            return {}
        return {
            ("homeostat_live_version", (("pipeline", pipeline), ("model_version", live.champion.version))): 1.0
            for pipeline, live in self._state.live.items()
            if live.champion is not None
        }

    def _check(self, message: ModelPublished) -> None:
        """Loads the model, so that it is warm, and holds it against what was published of it."""
        model = self._models.get(message.artifact)
        if model.features != message.features or model.metadata.kind != message.kind:
            raise Poison(
                f"the artefact is a {model.metadata.kind} model of {', '.join(model.features)}, "
                f"published as {message.kind} of {', '.join(message.features)}",
                reason="metadata",
            )

    def _refusal(self, batch: Batch[ModelPublished], index: int, poison: Poison, now: datetime) -> list[Out]:
        """Who asked for the version is answered; where nobody did, the publication is a dead letter."""
        message = batch.messages[index]
        if self._partition not in (ANSWERING_TASK, None):
            return []
        if message.command is None:
            letter = DeadLetter(
                topic=batch.topic,
                partition=batch.partition,
                offset=batch.offsets[index],
                reason=f"model-{poison.reason}",
                detail=f"version {message.version} does not answer: {poison.detail}",
                value=batch.values[index] if batch.values else b"",
                key=message.pipeline.encode(),
                pipeline=message.pipeline,
                service=NAME,
                at=now,
            )
            return [DEAD_LETTERS.of(letter)]
        return [
            COMMAND_RESULTS.of(
                CommandResult(
                    command=message.command,
                    pipeline=message.pipeline,
                    state="failed",
                    at=now,
                    service=NAME,
                    detail=f"version {message.version} refused ({poison.reason}): {poison.detail}",
                    model_version=message.version,
                )
            )
        ]

    def _model(self, release: ModelPublished) -> Model:
        try:
            return self._models.get(release.artifact)
        except Poison as poison:
            return _Damaged(poison)

    def _show(self) -> None:
        state = self._state
        self._board.show(View(dict(state.live), frozenset(state.pipelines), state.position))


class _Damaged:
    """Stands for a live model whose file was damaged after it went live: it raises for every row."""

    features: tuple[str, ...] = ()
    metadata = ModelMetadata(kind="anomaly", inputs=())

    def __init__(self, poison: Poison) -> None:
        self._poison = poison

    def answer(self, rows: Sequence[Mapping[str, Value]]) -> Answers:
        raise self._poison
