"""The monitor as a service: it leads each pipeline's records to its watch, and heartbeats to the system's."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from datetime import datetime
from typing import Any, TypeVar

import msgspec

from services.monitor.core.alerting import Alerts, Past
from services.monitor.core.early import Early, Kind
from services.monitor.core.events import Events
from services.monitor.core.pipeline import Pipeline
from services.monitor.core.state import pack, unpack
from services.monitor.core.system import SYSTEM, System
from services.monitor.core.watch import Said
from services.monitor.settings import MonitorSettings
from shared.messages import (
    Alert,
    Command,
    DeadLetter,
    Features,
    Heartbeat,
    Label,
    Metrics,
    ModelPublished,
    PipelineDefined,
    Prediction,
)
from shared.pipeline.specification import Specification
from shared.service import Batch, Job, JobResult, Step
from shared.topics import ALERTS, DEAD_LETTERS, METRICS, Out

_OWN = "monitor"
_MOST_ENDED = 100

R = TypeVar("R", Features, Prediction, Label)


class State(msgspec.Struct):
    """Everything the monitor knows. `ended`: what alerts of removed pipelines were, so that no id comes twice."""

    pipelines: dict[str, Pipeline] = {}
    specifications: dict[str, dict[str, object]] = {}
    system: System = msgspec.field(default_factory=System)
    early: Early = msgspec.field(default_factory=Early)
    ended: dict[str, dict[str, Past]] = {}


class Monitor:
    """One task for all pipelines: features, predictions and labels in; metrics and alerts out."""

    def __init__(self, settings: MonitorSettings | None = None) -> None:
        self._settings = settings or MonitorSettings()
        self._state = State()

    def on_pipelines(self, batch: Batch[PipelineDefined], now: datetime) -> Step:
        step = Step()
        for message in batch.messages:
            if message.removed:
                step += self._end(message.pipeline, now, "the pipeline was removed")
                self._state.specifications.pop(message.pipeline, None)
                continue
            specification = Specification.model_validate(message.specification)
            self._state.specifications[message.pipeline] = message.specification
            known = self._state.pipelines.get(message.pipeline)
            if known is not None and known.plan.kind == specification.kind:
                known.adopt(specification, self._settings.patience)
            else:
                step += self._end(message.pipeline, now, f"the pipeline is of kind {specification.kind} now")
                self._begin(specification)
            step += self._catch_up(message.pipeline, now)
        return step

    def on_features(self, batch: Batch[Features], now: datetime) -> Step:
        return _step(
            pipeline.on_features(messages, batch.partition, offsets, now)
            for pipeline, messages, offsets in self._by_pipeline(batch, "features", now)
        )

    def take_events(self, name: str, events: Events, partition: int, offsets: Sequence[int], now: datetime) -> Step:
        """As `on_features`, of one pipeline's events in columns. `KeyError` before its specification has come."""
        return _step([self._state.pipelines[name].take_events(events, partition, offsets, now)])

    def on_predictions(self, batch: Batch[Prediction], now: datetime) -> Step:
        return _step(
            pipeline.on_predictions(messages, now)
            for pipeline, messages, _ in self._by_pipeline(batch, "predictions", now)
        )

    def on_labels(self, batch: Batch[Label], now: datetime) -> Step:
        return _step(
            pipeline.on_labels(messages, batch.partition, offsets, now)
            for pipeline, messages, offsets in self._by_pipeline(batch, "labels", now)
        )

    def on_dead_letters(self, batch: Batch[DeadLetter], now: datetime) -> Step:
        for letter in batch.messages:
            pipeline = self._state.pipelines.get(letter.pipeline or "")
            if pipeline is not None and letter.service != _OWN:
                pipeline.on_dead_letter(letter)
        return Step()

    def on_model_published(self, batch: Batch[ModelPublished], now: datetime) -> Step:
        step = Step()
        for message in batch.messages:
            pipeline = self._state.pipelines.get(message.pipeline)
            if pipeline is not None:
                if message.stage == "champion":
                    self._state.system.released[message.pipeline] = (message.version, now.timestamp())
                step += _step([pipeline.on_model(message, now)])
        return step

    def on_commands(self, batch: Batch[Command], now: datetime) -> Step:
        step = Step()
        for command in batch.messages:
            pipeline = self._state.pipelines.get(command.pipeline)
            if pipeline is not None and command.action == "retrain":
                pipeline.on_retrain(command.id)
            if pipeline is not None and command.action == "promote":
                pipeline.on_promotion(command.id)
            if pipeline is not None and command.action in ("quarantine_source", "release_source"):
                source, fields = str(command.arguments.get("source", "")), _texts(command.arguments.get("fields"))
                pipeline.on_quarantine(source, fields, begins=command.action == "quarantine_source")
                if command.action == "release_source" and command.arguments.get("accept") is True:
                    step += _step([pipeline.on_accepted(source, fields, now)])
        return step

    def on_telemetry(self, batch: Batch[Heartbeat], now: datetime) -> Step:
        behind = max((self._state.system.behind(beat) for beat in batch.messages if beat.service == _OWN), default=0.0)
        for pipeline in self._state.pipelines.values():
            if behind > pipeline.plan.objective / 2:
                pipeline.pace.doubt(now.timestamp())
        return _step(self._state.system.take(beat, now) for beat in batch.messages)

    def on_tick(self, now: datetime) -> Step:
        """Deadlines: labels nobody claimed, windows to revise, services that fell silent."""
        step = _step(pipeline.on_tick(now) for pipeline in self._state.pipelines.values())
        self._state.early.let_go(now)
        settings = self._settings
        alerts, metrics = self._state.system.tick(now, settings.silence_seconds, settings.system_window_seconds)
        return step + _step([alerts, [metrics] if metrics else []])

    def on_job(self, result: JobResult, now: datetime) -> Step:
        return Step()

    def pending_jobs(self) -> list[Job]:
        return []

    def gauges(self) -> dict[tuple[str, tuple[tuple[str, str], ...]], float]:
        """Of each pipeline: the newest window's performance and drift, and the alerts that fire by kind."""
        found: dict[tuple[str, tuple[tuple[str, str], ...]], float] = {}
        for name, pipeline in self._state.pipelines.items():
            label = ("pipeline", name)
            for metric, value in pipeline.counted.items():
                found["homeostat_performance", (label, ("metric", metric))] = value
            for feature, value in pipeline.drifted.items():
                found["homeostat_drift", (label, ("feature", feature))] = value
            found |= _firing(name, pipeline.alerts)
        return found | _firing(SYSTEM, self._state.system.alerts)

    def save(self) -> bytes:
        return pack(self._state)

    def restore(self, state: bytes) -> None:
        self._state = unpack(state, State)
        for pipeline in self._state.pipelines.values():
            pipeline.bound(self._settings.patience)

    def _by_pipeline(
        self, batch: Batch[R], kind: Kind, now: datetime
    ) -> list[tuple[Pipeline, Sequence[R], Sequence[int]]]:
        """The batch cut by pipeline, in order of appearance; records of unknown pipelines wait."""
        named = [message.pipeline for message in batch.messages]
        alone = len(named) > 0 and named.count(named[0]) == len(named)
        names = named[:1] if alone else list(dict.fromkeys(named))
        parts: list[tuple[Pipeline, Sequence[R], Sequence[int]]] = []
        for name in names:
            messages, offsets = batch.messages, batch.offsets
            if len(names) > 1:
                places = [place for place, message in enumerate(batch.messages) if message.pipeline == name]
                messages, offsets = [batch.messages[p] for p in places], [batch.offsets[p] for p in places]
            pipeline = self._state.pipelines.get(name)
            if pipeline is not None:
                parts.append((pipeline, messages, offsets))
            else:
                self._state.early.keep(name, kind, batch.partition, offsets, messages, now)
        return parts

    def _begin(self, specification: Specification) -> None:
        pipeline = Pipeline.of(specification, self._settings.patience)
        pipeline.alerts.past = self._state.ended.pop(specification.name, {})
        self._state.pipelines[specification.name] = pipeline

    def _end(self, name: str, now: datetime, why: str) -> Step:
        """The watch of a pipeline ends, and with it all that fires there."""
        pipeline = self._state.pipelines.pop(name, None)
        if pipeline is None:
            return Step()
        said = pipeline.alerts.end(now, why)
        self._state.system.released.pop(name, None)
        self._state.ended[name] = pipeline.alerts.past
        for oldest in list(self._state.ended)[:-_MOST_ENDED]:
            del self._state.ended[oldest]
        return _step([said])

    def _catch_up(self, name: str, now: datetime) -> Step:
        """Hands the pipeline what came before its specification."""
        step = Step()
        for run in self._state.early.of(name):
            batch: Batch[Any] = Batch(run.kind, run.partition, run.offsets, run.messages)
            match run.kind:
                case "features":
                    step += self.on_features(batch, now)
                case "predictions":
                    step += self.on_predictions(batch, now)
                case "labels":
                    step += self.on_labels(batch, now)
        return step


def _firing(pipeline: str, alerts: Alerts) -> dict[tuple[str, tuple[tuple[str, str], ...]], float]:
    counts = Counter(alert.kind for alert in alerts.firing.values())
    return {
        ("homeostat_alerts_firing", (("pipeline", pipeline), ("kind", kind))): float(n) for kind, n in counts.items()
    }


def _step(parts: Any) -> Step:
    return Step([_out(said) for part in parts for said in part])


def _out(said: Said) -> Out:
    if isinstance(said, Metrics):
        return METRICS.of(said)
    return ALERTS.of(said) if isinstance(said, Alert) else DEAD_LETTERS.of(said)


def _texts(value: object) -> list[str]:
    return [str(item) for item in value] if isinstance(value, (list, tuple)) else []
