"""The trainer's step: makes, judges and releases versions. The one writer of `model-published`.

In: pipelines, metrics, commands, command-results. Out: model-published, command-results. Training and MLflow are jobs.
"""

from __future__ import annotations

from datetime import datetime, timedelta

import msgspec

from services.trainer.core import outbox as box
from services.trainer.core.deciding import Decision, decision_on, once_more, order_of
from services.trainer.core.deciding import Job as Wanted
from services.trainer.core.orders import Judged, Rows, plain, typed
from services.trainer.core.quarantine import without_refused
from services.trainer.core.releases import Candidate, pruned, publication, refused, with_version, without_card
from services.trainer.core.rollout import Move, at_once, first_move, next_move, settled
from services.trainer.core.state import (
    Pipeline,
    State,
    Work,
    begun_anew,
    counted,
    expecting,
    overtaken,
    unfit,
    with_noted,
    with_result,
    with_work,
    without_work,
)
from services.trainer.settings import TrainerSettings
from shared.identity import stable_id
from shared.messages import Command, CommandResult, CommandState, Metrics, PipelineDefined
from shared.pipeline.specification import Specification
from shared.service import NOTHING, Batch, Job, JobResult, Step
from shared.topics import COMMAND_RESULTS, MODEL_PUBLISHED

NAME, PREDICTOR, INGEST = "trainer", "predictor", "ingest"


class Trainer:
    """One task for all pipelines. Deterministic; everything it knows is in `save`."""

    def __init__(self, settings: TrainerSettings) -> None:
        self._settings = settings
        self._state = State()
        self._specifications: dict[str, Specification] = {}

    # --- topics

    def on_pipelines(self, batch: Batch[PipelineDefined], now: datetime) -> Step:
        step = Step()
        for defined in batch.messages:
            name = defined.pipeline
            pipeline = self._state.pipelines.get(name) or Pipeline(name=name, specification=None)
            before = self._specification(name)
            specification = None if defined.removed else defined.specification
            if specification is None or (before is not None and before.kind != specification.get("kind")):
                pipeline = begun_anew(pipeline)
            self._put(
                msgspec.structs.replace(pipeline, specification=specification, specification_version=defined.version)
            )
            after = self._specification(name)
            if after is not None and (before is None or before.definition != after.definition):
                # A first model learns from rows of the present definition of the features alone.
                seen = pipeline.rows_to_learn(after.kind) if pipeline.specification_version else 0
                self._put(expecting(self._state.pipelines[name], seen + after.models.min_rows))
        return step

    def on_metrics(self, batch: Batch[Metrics], now: datetime) -> Step:
        """Totals count also before the definition is read: no other may come while there is no model."""
        step = Step()
        for metrics in batch.messages:
            pipeline = self._state.pipelines.get(metrics.pipeline, Pipeline(name=metrics.pipeline, specification=None))
            if pipeline.removed or metrics.family == "service":
                continue
            pipeline = counted(pipeline, metrics)
            self._put(pipeline)
            if (specification := self._specification(metrics.pipeline)) is not None:
                step += self._rolled_on(pipeline, specification, metrics)
                step += self._first_model(metrics.pipeline, now)
        return step

    def on_commands(self, batch: Batch[Command], now: datetime) -> Step:
        step = Step()
        for command in batch.messages:
            step += self._obeyed(command, now)
        return step

    def on_command_results(self, batch: Batch[CommandResult], now: datetime) -> Step:
        """What the predictor refuses to load is not live: the version that goes on answering is named again.
        What ingest did not withhold was never in quarantine.
        """
        step = Step()
        for result in batch.messages:
            pipeline = self._state.pipelines.get(result.pipeline)
            if pipeline is None or result.state not in ("failed", "refused", "expired"):
                continue
            if result.service == INGEST:
                self._state = with_noted(self._state, result.command)  # also where the command itself is still to come
                stretches = without_refused(pipeline.quarantines, result.command)
                self._put(msgspec.structs.replace(pipeline, quarantines=stretches))
            if result.service != PREDICTOR or result.state != "failed":
                continue
            after = refused(pipeline.releases, result.model_version or "")
            if after is not None:
                move = Move(after, after.champion or "", "champion", 1.0, f"goes on: {result.detail}")
                step += self._moved(pipeline.name, (move,), None)
        return step

    # --- the clock and the jobs

    def on_tick(self, now: datetime) -> Step:
        step = Step()
        for name, pipeline in self._state.pipelines.items():
            for work in pipeline.works:
                step += self._in_time(name, work, now)
            step += self._first_model(name, now)
        return step + self._told_mlflow(now)

    def on_job(self, result: JobResult, now: datetime) -> Step:
        if result.name == "register":
            return self._registered(result, now)
        for pipeline in self._state.pipelines.values():
            for work in pipeline.works:
                if work.job == result.id:
                    self._put(without_work(pipeline, work))
                    return self._worked(pipeline.name, work, result, now)
        return NOTHING

    def pending_jobs(self) -> list[Job]:
        jobs = [_job(work) for each in self._state.pipelines.values() for work in each.works]
        return jobs + ([self._registration()] if self._state.outbox.job is not None else [])

    def _in_time(self, name: str, work: Work, now: datetime) -> Step:
        """Work whose command's deadline has passed is not waited for any more."""
        command = work.command
        if command is None or now <= command.deadline:
            return NOTHING
        self._put(without_work(self._state.pipelines[name], work))
        detail = f"{command.action} was not done by its deadline; what it still yields is dropped"
        return self._result(command, "expired", now, detail)

    # --- state

    def save(self) -> bytes:
        return msgspec.json.encode(self._state)

    def restore(self, state: bytes) -> None:
        self._state = msgspec.json.decode(state, type=State)
        self._specifications = {}

    # --- commands

    def _obeyed(self, command: Command, now: datetime) -> Step:
        known = self._state.handled.get(command.id)
        if known is not None:
            return Step([COMMAND_RESULTS.of(known)])
        pipeline = self._state.pipelines.get(command.pipeline) or Pipeline(name=command.pipeline, specification=None)
        decision = decision_on(pipeline, command)
        if decision is None or decision.state is None:
            if decision is not None:
                self._state = with_noted(self._state, command.id, decision.pipeline)
            return NOTHING
        if now > command.deadline:
            return self._result(command, "expired", now, f"{command.action} came after its deadline")
        if decision.state in {"refused", "failed"}:
            return self._result(command, decision.state, now, decision.detail, decision.version)
        accepted = self._result(command, "accepted", now, "")
        if decision.job is not None:
            return accepted + self._running(pipeline, command, decision.job, now)
        return accepted + self._done(pipeline, command, decision, now)

    def _done(self, pipeline: Pipeline, command: Command, decision: Decision, now: datetime) -> Step:
        if decision.pipeline is not None:
            self._put(decision.pipeline)
        step = self._moved(pipeline.name, decision.moves, command)
        return step + self._result(command, "succeeded", now, decision.detail, decision.version)

    def _running(self, pipeline: Pipeline, command: Command, wanted: Wanted, now: datetime) -> Step:
        step = self._result(command, "running", now, "")
        return step + self._started(pipeline, wanted, stable_id(wanted.name, command.id), _left(command, now), command)

    def _once_more(self, pipeline: Pipeline, work: Work, command: Command, spent: float, now: datetime) -> Step:
        """The same order again, against the champion that answers by now."""
        wanted, champion = once_more(work), pipeline.releases.champion
        detail = f"version {champion} answers by now: {work.name} begins again, to be judged against it"
        started = self._started(
            pipeline, wanted, stable_id(work.job, champion), _left(command, now), command, spent=spent
        )
        return self._result(command, "running", now, detail) + started

    def _started(
        self,
        pipeline: Pipeline,
        wanted: Wanted,
        job: str,
        seconds: float,
        command: Command | None = None,
        spent: float = 0.0,
    ) -> Step:
        order = order_of(pipeline, wanted, self._settings.code_revision, command)
        seconds = min(seconds, self._settings.train_timeout.total_seconds())
        work = Work(job=job, name=wanted.name, order=order, timeout_seconds=seconds, command=command, spent=spent)
        self._put(with_work(pipeline, work))
        return Step(jobs=[_job(work)])

    def _result(
        self,
        command: Command,
        state: CommandState,
        now: datetime,
        detail: str,
        version: str | None = None,
        cost: float | None = None,
    ) -> Step:
        result = CommandResult(
            command=command.id,
            pipeline=command.pipeline,
            state=state,
            at=now,
            service=NAME,
            detail=detail,
            model_version=version,
            cost_seconds=cost,
        )
        self._state = with_result(self._state, result)
        return Step([COMMAND_RESULTS.of(result)])

    # --- models

    def _first_model(self, name: str, now: datetime) -> Step:
        """Starts training when no model answers rows of the present definition and there are rows enough."""
        pipeline, specification = self._state.pipelines[name], self._specification(name)
        if specification is None or pipeline.works or pipeline.releases.held:
            return NOTHING
        champion = pipeline.champion
        if champion is not None and champion.definition == specification.definition:
            return NOTHING
        seen = pipeline.rows_to_learn(specification.kind)
        if seen < pipeline.first_from_rows or (pipeline.first_from is not None and now < pipeline.first_from):
            return NOTHING
        job = stable_id("train", name, specification.definition, "first", seen, now.isoformat())
        return self._started(pipeline, Wanted("train", Rows()), job, self._settings.train_timeout.total_seconds())

    def _worked(self, name: str, work: Work, result: JobResult, now: datetime) -> Step:
        """A version was made or judged, or not."""
        pipeline, specification = self._state.pipelines[name], self._specification(name)
        if result.result is None or specification is None:
            spent = work.spent + result.seconds
            return self._came_to_nothing(name, work, result.error or "the pipeline was removed", now, spent)
        judged = typed(result.result, Judged)
        cost = work.spent + judged.cost_seconds
        if overtaken(pipeline, work):
            return NOTHING if work.command is None else self._once_more(pipeline, work, work.command, cost, now)
        if judged.candidate is None:
            told = f"{judged.verdict.reason} ({judged.window})"
            return self._came_to_nothing(name, work, told, now, cost, broke=False)
        if why := unfit(pipeline, work, judged.candidate, specification.definition):
            return self._came_to_nothing(name, work, why, now, cost)
        return self._made(pipeline, work, judged, judged.candidate, specification, now)

    def _made(
        self,
        pipeline: Pipeline,
        work: Work,
        judged: Judged,
        candidate: Candidate,
        specification: Specification,
        now: datetime,
    ) -> Step:
        """The candidate becomes a version, and what the release says of it."""
        name, cost = pipeline.name, work.spent + judged.cost_seconds
        releases, version = with_version(pipeline.releases, candidate, gated=judged.verdict.passed)
        untold = {number for of, number in self._state.outbox.waiting if of == name}
        releases = pruned(releases, {version.number, *untold})
        self._put(msgspec.structs.replace(pipeline, releases=releases))
        reason = f"{judged.verdict.reason}; {judged.window}"
        if releases.held:
            detail = f"version {version.number} was made, but the pipeline is held: promote it after release_hold"
            self._note(name, version.number)
            return self._ended(work.command, "refused", now, detail, version.number, cost)
        if work.name == "judge":
            move = at_once(releases, version.number, f"brought from outside; {reason}")
        else:
            move = first_move(releases, specification, version.number, pipeline.rows_seen, reason)
        detail = f"version {version.number} is {move.stage}: {reason}"
        step = self._moved(name, (move,), work.command)
        return step + self._ended(work.command, "succeeded", now, detail, version.number, cost)

    def _came_to_nothing(
        self, name: str, work: Work, reason: str, now: datetime, cost: float, *, broke: bool = True
    ) -> Step:
        """No version: the command failed; a first model is tried again, later or with more rows."""
        specification = self._specification(name)
        if work.command is None and specification is not None:
            pipeline = self._state.pipelines[name]
            seen = pipeline.rows_to_learn(specification.kind)
            rows = pipeline.first_from_rows if broke else round(seen * self._settings.first_retry_growth)
            pause = self._settings.first_retry_pause if broke else timedelta(0)
            self._put(msgspec.structs.replace(pipeline, first_from_rows=rows, first_from=now + pause))
        return self._ended(work.command, "failed", now, reason, None, cost)

    def _ended(
        self, command: Command | None, state: CommandState, now: datetime, detail: str, version: str | None, cost: float
    ) -> Step:
        return NOTHING if command is None else self._result(command, state, now, detail, version, cost)

    def _rolled_on(self, pipeline: Pipeline, specification: Specification, metrics: Metrics) -> Step:
        """A version on trial goes on, up or away as the metrics say; nothing is promoted while held."""
        if pipeline.releases.trial is None:
            return NOTHING
        releases, move = next_move(pipeline.releases, specification, metrics)
        self._put(msgspec.structs.replace(pipeline, releases=releases))
        if move is None or (releases.held and move.stage != "retired"):
            return NOTHING
        return self._moved(pipeline.name, (move,), None)

    def _moved(self, name: str, moves: tuple[Move, ...], command: Command | None) -> Step:
        step = Step()
        for move in settled(moves, command):
            pipeline = self._state.pipelines[name]
            replaced = pipeline.releases.champion
            self._put(msgspec.structs.replace(pipeline, releases=move.releases))
            published = publication(
                name,
                move.releases,
                move.version,
                move.stage,
                replaces=replaced,
                weight=move.weight,
                reason=move.reason,
                command=None if command is None else command.id,
                incident=None if command is None else command.incident,
            )
            step.messages.append(MODEL_PUBLISHED.of(published))
            self._note(name, move.version)
        return step

    # --- MLflow

    def _note(self, pipeline: str, version: str) -> None:
        if self._settings.registry:
            self._state = msgspec.structs.replace(self._state, outbox=box.noted(self._state.outbox, pipeline, version))

    def _told_mlflow(self, now: datetime) -> Step:
        """Starts the next registration, unless a training could be kept waiting by it."""
        working = any(each.works for each in self._state.pipelines.values())
        if working or not box.due(self._state.outbox, now):
            return NOTHING
        self._state = msgspec.structs.replace(self._state, outbox=box.started(self._state.outbox))
        return Step(jobs=[self._registration()])

    def _registration(self) -> Job:
        name, version = self._state.outbox.waiting[0]
        order = box.registration_of(self._state.pipelines[name], version)
        job = self._state.outbox.job or ""
        return Job(job, "register", plain(order), self._settings.register_timeout.total_seconds())

    def _registered(self, result: JobResult, now: datetime) -> Step:
        outbox = self._state.outbox
        if result.id != outbox.job:
            return NOTHING
        settings = self._settings
        if result.error is not None:
            after = box.failed(outbox, now, pause=settings.register_pause, longest=settings.register_pause_longest)
        else:
            after = box.told(outbox)
            name, version = outbox.waiting[0]
            pipeline = self._state.pipelines[name]
            self._put(msgspec.structs.replace(pipeline, releases=without_card(pipeline.releases, version)))
        self._state = msgspec.structs.replace(self._state, outbox=after)
        return NOTHING

    # --- small

    def _put(self, pipeline: Pipeline) -> None:
        known = self._state.pipelines.get(pipeline.name)
        if known is None or known.specification is not pipeline.specification:
            self._specifications.pop(pipeline.name, None)
        self._state = msgspec.structs.replace(self._state, pipelines={**self._state.pipelines, pipeline.name: pipeline})

    def _specification(self, name: str) -> Specification | None:
        pipeline = self._state.pipelines.get(name)
        if pipeline is None or pipeline.specification is None:
            return None
        if name not in self._specifications:
            self._specifications[name] = Specification.model_validate(pipeline.specification)
        return self._specifications[name]


def _job(work: Work) -> Job:
    return Job(work.job, work.name, plain(work.order), work.timeout_seconds, urgent=work.judges)


def _left(command: Command, now: datetime) -> float:
    """The seconds until the command's deadline, at least one."""
    return max(1.0, (command.deadline - now).total_seconds())
