"""A trainer on the bench: what it is told, and what it says."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

from services.trainer.core.gate import Verdict
from services.trainer.core.orders import Judged, plain
from services.trainer.core.releases import Candidate
from services.trainer.service import Trainer
from services.trainer.settings import TrainerSettings
from shared.messages import (
    Artifact,
    Command,
    CommandResult,
    Lineage,
    Metrics,
    ModelPublished,
    PipelineDefined,
    Window,
)
from shared.pipeline.specification import Specification
from shared.service import Batch, Job, JobResult, Step

NOW = datetime(2026, 11, 21, 12, tzinfo=UTC)
PIPELINE = "prices"
CANARY = {"shadow_rows": 100, "canary": [{"weight": 0.1, "rows": 200}, {"weight": 0.5, "rows": 300}]}


def specification(**parts: Any) -> Specification:
    document = {
        "name": PIPELINE,
        "kind": "binary",
        "schema": {"x": {"type": "number"}, "y": {"type": "boolean"}},
        "target": "y",
        "models": {"min_rows": 100},
        **parts,
    }
    return Specification.model_validate(document)


def candidate(name: str, spec: Specification, accuracy: float = 0.8) -> Candidate:
    lineage = Lineage(
        features_ranges={"0": (0, 100)},
        labels_ranges={"0": (0, 100)},
        data_hash="hash",
        rows=100,
        specification_version=1,
        specification_digest=spec.digest,
        code_revision="abc",
        seed=0,
        libraries={},
    )
    return Candidate(
        artifact=Artifact(uri=f"sha256:{name}", sha256=name, format="skops", size=1, signature="s"),
        features=spec.feature_names,
        definition=spec.definition,
        kind="binary",
        lineage=lineage,
        metrics={"accuracy": accuracy},
    )


class Bench:
    """A trainer, and what it said: messages are kept in order, jobs until they are ended."""

    def __init__(self, *, registry: bool = False, **parts: Any) -> None:
        self.spec = specification(**parts)
        self.trainer = Trainer(TrainerSettings(code_revision="abc", registry=registry))
        self.results: list[CommandResult] = []
        self.published: list[ModelPublished] = []
        self.jobs: list[Job] = []
        self.commands = 0
        self.now = NOW
        self.define(self.spec)

    def take(self, step: Step) -> None:
        for out in step.messages:
            kept = self.results if isinstance(out.message, CommandResult) else self.published
            kept.append(out.message)  # type: ignore[arg-type]
        self.jobs += step.jobs

    def define(self, spec: Specification, version: int = 1, removed: bool = False) -> None:
        defined = PipelineDefined(
            pipeline=PIPELINE,
            version=version,
            digest=spec.digest,
            specification=spec.canonical,
            at=self.now,
            issued_by="person:test",
            removed=removed,
        )
        self.take(self.trainer.on_pipelines(Batch("pipelines", 0, [version], [defined]), self.now))

    def metrics(self, labelled: int, *, index: int = 0, **parts: Any) -> None:
        window = Window(index=index, first_row=0, last_row=0, rows=1, positions=parts.pop("positions", {}))
        seen = {"rows_seen": labelled, "labelled_seen": labelled, **parts}
        told = Metrics(pipeline=PIPELINE, family="performance", at=self.now, window=window, values={}, **seen)
        self.take(self.trainer.on_metrics(Batch("metrics", 0, [0], [told]), self.now))

    def command(self, action: Any, name: str = "", **arguments: Any) -> list[CommandResult]:
        """What was answered to this command of a person, by the time the step had ended."""
        return self.by("person:test", action, name, **arguments)

    def by(self, who: str, action: Any, name: str = "", **arguments: Any) -> list[CommandResult]:
        """The same for a command that `who` issued."""
        self.commands += 1
        order = Command(
            id=name or f"c{self.commands}",
            incident="i1",
            pipeline=PIPELINE,
            action=action,
            arguments=arguments,
            reason="test",
            issued_by=who,
            at=self.now,
            deadline=self.now + timedelta(minutes=10),
        )
        before = len(self.results)
        self.take(self.trainer.on_commands(Batch("commands", 0, [0], [order]), self.now))
        return self.results[before:]

    def ingest_refuses(self, command: str) -> None:
        refusal = CommandResult(command=command, pipeline=PIPELINE, state="refused", at=self.now, service="ingest")
        self.take(self.trainer.on_command_results(Batch("command-results", 0, [0], [refusal]), self.now))

    def restart(self) -> None:
        """The trainer goes on from what it saved."""
        state, self.trainer = self.trainer.save(), Trainer(TrainerSettings(code_revision="abc"))
        self.trainer.restore(state)

    def end(self, result: dict[str, Any] | None = None, error: str | None = None, *, job: int = 0) -> None:
        """The job at this place of those under way ends."""
        under_way = self.jobs.pop(job)
        ended = JobResult(under_way.id, under_way.name, 3.0, result, error)
        self.take(self.trainer.on_job(ended, self.now))

    def tick(self, seconds: float = 1.0) -> None:
        self.now += timedelta(seconds=seconds)
        self.take(self.trainer.on_tick(self.now))

    def passes(self, name: str, spec: Specification | None = None) -> dict[str, Any]:
        verdict = Verdict(passed=True, metric="accuracy", reasons=("better",), rows=50)
        return plain(Judged(verdict=verdict, candidate=candidate(name, spec or self.spec), cost_seconds=2.5))

    def refuses(self) -> dict[str, Any]:
        return plain(Judged(verdict=Verdict(passed=False, metric="accuracy", reasons=("not better",), rows=50)))

    def with_champions(self, count: int) -> Bench:
        self.metrics(100)
        self.end(self.passes("model-1"))
        for number in range(2, count + 1):
            self.command("retrain")
            self.end(self.passes(f"model-{number}"))
        self.published.clear()
        self.results.clear()
        return self
