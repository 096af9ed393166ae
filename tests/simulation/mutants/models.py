"""Trainers and predictors that make, release or answer with what they should not."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

import msgspec

from homeostat.simulation.simulation import KEY
from homeostat.simulation.world import knobs
from services.predictor.board import Board
from services.predictor.service import Predictor
from services.trainer.core.orders import Judged, typed
from services.trainer.core.state import Work, overtaken
from services.trainer.service import Trainer
from shared.messages import Artifact, Command, CommandResult, ModelPublished, Prediction
from shared.models.artifact import ModelCache
from shared.models.base import Model
from shared.models.signing import signature_of
from shared.models.store import ArtifactStore
from shared.runtime.task import Task
from shared.service import Batch, Job, JobResult, Step
from shared.topics import MODEL_PUBLISHED
from tests.simulation.mutants.wrapper import Arguments, Mutant, Services, messages, mutated


def patient(name: str, arguments: Arguments) -> Arguments:
    """A trainer that takes up every order, however late it is."""
    if name != "on_commands":
        return arguments
    batch, now = arguments
    later = [msgspec.structs.replace(one, deadline=one.deadline + timedelta(hours=1)) for one in batch.messages]
    return Batch(batch.topic, batch.partition, batch.offsets, later, batch.values, batch.traces), now


def unhindered(name: str, step: Step) -> Step:
    """A trainer whose orders leave nothing out."""
    return Step(step.messages, [replace(job, arguments=_with_every_row(job.arguments)) for job in step.jobs])


def _with_every_row(arguments: dict[str, Any]) -> dict[str, Any]:
    rows = arguments.get("rows")
    return {**arguments, "rows": {**rows, "excluded": []}} if isinstance(rows, dict) else arguments


def forgets_jobs(services: Services) -> Services:
    """A trainer that, started anew, does not say at first what it waits for."""

    class Forgetting(Mutant):
        asked = False

        def pending_jobs(self) -> list[Job]:
            found: list[Job] = self.inner.pending_jobs() if self.asked else []
            self.asked = True
            return found

    return {**services, "trainer": lambda task: Forgetting(services["trainer"](task))}


class Careless(Trainer):
    """Releases what was made whatever became known meanwhile, and takes any definition for the right one."""

    def _worked(self, name: str, work: Work, result: JobResult, now: datetime) -> Step:
        pipeline, specification = self._state.pipelines[name], self._specification(name)
        judged = None if result.result is None else typed(result.result, Judged)
        if judged is None or judged.candidate is None or specification is None or overtaken(pipeline, work):
            return super()._worked(name, work, result, now)
        return self._made(pipeline, work, judged, judged.candidate, specification, now)


def careless(services: Services) -> Services:
    return {**services, "trainer": lambda _: Careless(knobs().trainer)}


class Unchecking(Predictor):
    """Loads a model and does not look whether it is what it was published as."""

    def _check(self, message: ModelPublished) -> None:
        self._models.get(message.artifact)


def unchecking(services: Services) -> Services:
    def make(task: Task) -> Predictor:
        usual: Any = services["predictor"](task)
        return Unchecking(task.partition, usual._models, Board())

    return {**services, "predictor": make}


class Gullible:
    """A cache of models that takes anybody's signature."""

    def __init__(self, store: ArtifactStore) -> None:
        self._models = ModelCache(store, KEY)

    def get(self, artifact: Artifact) -> Model:
        return self._models.get(msgspec.structs.replace(artifact, signature=signature_of(artifact.sha256, KEY)))


def unsigned(services: Services, store: ArtifactStore) -> Services:
    """A trainer that signs with another key, and predictors that do not look."""
    forged = messages_forged()
    models: Any = Gullible(store)
    return {
        **mutated("trainer", said=forged)(services),
        "predictor": lambda task: Predictor(task.partition, models, Board()),
    }


def messages_forged() -> Callable[[str, Step], Step]:
    def forged(release: ModelPublished) -> ModelPublished:
        return msgspec.structs.replace(release, artifact=msgspec.structs.replace(release.artifact, signature="0" * 64))

    return messages(ModelPublished, forged)


def forgets_commands(trainer: Any) -> None:
    trainer._state = msgspec.structs.replace(trainer._state, handled={})


def with_rows(further: int) -> Callable[[ModelPublished], ModelPublished]:
    """As if rows had been trained on that may not be, or as if the ranges held others than those trained on."""

    def told(release: ModelPublished) -> ModelPublished:
        lineage = msgspec.structs.replace(release.lineage, rows=release.lineage.rows + further)
        return msgspec.structs.replace(release, lineage=lineage)

    return told


def with_all(release: ModelPublished) -> ModelPublished:
    return msgspec.structs.replace(release, lineage=msgspec.structs.replace(release.lineage, excluded_ranges=()))


def promotes(step: Step) -> bool:
    return any(out.topic is MODEL_PUBLISHED and out.message.command is not None for out in step.messages)  # type: ignore[attr-defined]


def says_twice(step: Step) -> Step:
    return Step([one for out in step.messages for one in (out, out)], step.jobs)


def other_end(result: CommandResult) -> CommandResult:
    return msgspec.structs.replace(result, state="succeeded" if result.state == "accepted" else result.state)


def quarantines(command: Command) -> bool:
    return command.action == "quarantine_source"


def by_the_champion(answer: Prediction) -> Prediction:
    """What the canary answered, under the champion's name."""
    if answer.role != "canary":
        return answer
    return msgspec.structs.replace(answer, model_version="2", role="champion")


def the_canary_takes_all(name: str, arguments: Arguments) -> Arguments:
    """Predictors for whom every entity lies below the canary's weight."""
    if name != "on_model_published":
        return arguments
    batch, now = arguments
    heavy = [msgspec.structs.replace(one, weight=1.0) for one in batch.messages]
    return Batch(batch.topic, batch.partition, batch.offsets, heavy, batch.values, batch.traces), now


def turned(answer: Prediction) -> Prediction:
    return msgspec.structs.replace(answer, prediction=0 if answer.prediction else 1)


def shadowless(answer: Prediction) -> Prediction:
    """The champion's answers, for those of its shadows."""
    beside = tuple(msgspec.structs.replace(one, prediction=answer.prediction) for one in answer.shadows)
    return msgspec.structs.replace(answer, shadows=beside)


def worse(release: ModelPublished) -> ModelPublished:
    """A version that did no better than chance in its gate."""
    return msgspec.structs.replace(release, metrics={**release.metrics, "accuracy": 0.1})


def at_once(release: ModelPublished) -> ModelPublished:
    return msgspec.structs.replace(release, stage="champion", weight=1.0)


def with_force(name: str, arguments: Arguments) -> Arguments:
    """A trainer that takes every promotion for one by force."""
    if name != "on_commands":
        return arguments
    batch, now = arguments
    forced = [msgspec.structs.replace(one, arguments={**one.arguments, "force": True}) for one in batch.messages]
    return Batch(batch.topic, batch.partition, batch.offsets, forced, batch.values, batch.traces), now


def goes_forward(command: Command) -> Command:
    """A rollback to the version that is live."""
    return msgspec.structs.replace(command, arguments={"to_version": "2"}) if command.action == "rollback" else command


def lets_go(trainer: Any) -> None:
    """A trainer that forgets that a pipeline is held."""
    pipelines = {
        name: msgspec.structs.replace(one, releases=msgspec.structs.replace(one.releases, held=False))
        for name, one in trainer._state.pipelines.items()
    }
    trainer._state = msgspec.structs.replace(trainer._state, pipelines=pipelines)


def as_at_first(release: ModelPublished) -> ModelPublished:
    """A lineage whose ranges end before labels were corrected."""
    half = {partition: (start, (start + end) // 2) for partition, (start, end) in release.lineage.labels_ranges.items()}
    return msgspec.structs.replace(release, lineage=msgspec.structs.replace(release.lineage, labels_ranges=half))


def against_nobody(name: str, step: Step) -> Step:
    """A trainer whose challengers are judged as if there were no champion."""
    return Step(step.messages, [replace(job, arguments={**job.arguments, "champion": None}) for job in step.jobs])


def in_a_hurry(trainer: Any) -> None:
    """A trainer that tries again at once."""
    pipelines = {name: msgspec.structs.replace(one, first_from=None) for name, one in trainer._state.pipelines.items()}
    trainer._state = msgspec.structs.replace(trainer._state, pipelines=pipelines)


def registers(name: str, arguments: Arguments) -> Arguments:
    """A trainer that takes it for done when MLflow has not heard."""
    if name != "on_job" or arguments[0].name != "register":
        return arguments
    end, now = arguments
    return replace(end, error=None, result={}), now
