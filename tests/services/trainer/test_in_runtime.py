"""The trainer with its real jobs in a runtime, killed on the way: its state comes from the log alone."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import polars as pl

from services.trainer.jobs import JOBS
from services.trainer.service import Trainer
from services.trainer.settings import TrainerSettings
from shared.messages import Command, Metrics, PipelineDefined, Window
from shared.pipeline.specification import Specification
from shared.runtime.memory import MemoryRuntime
from shared.topics import COMMAND_RESULTS, COMMANDS, METRICS, MODEL_PUBLISHED, PIPELINES


def test_a_trainer_killed_while_training_publishes_each_version_once(
    world: Any, stream: pl.DataFrame, specified: Callable[..., Specification]
) -> None:
    specification = specified(gate={"min_improvement": -1.0})
    runtime = MemoryRuntime(
        {"trainer": lambda _: Trainer(TrainerSettings(code_revision="abc"))},
        jobs={"trainer": JOBS},
        settings=world.context.settings,
        job_seconds=lambda _: 5.0,
    )
    world.bus, world.producer = runtime.bus, runtime.bus.producer("test")
    world.write(specification, stream.head(600))
    name, document = specification.name, specification.canonical
    runtime.put(
        PIPELINES,
        PipelineDefined(
            pipeline=name, version=1, digest=specification.digest, specification=document, at=runtime.now, issued_by="x"
        ),
    )
    window = Window(index=0, first_row=0, last_row=599, rows=600)
    seen = Metrics(
        pipeline=name,
        family="performance",
        at=runtime.now,
        window=window,
        values={},
        rows_seen=600,
        labelled_seen=600,
    )
    runtime.put(METRICS, seen)
    runtime.advance(2)
    runtime.crash("trainer")
    runtime.advance(20)
    assert [each.version for each in runtime.messages(MODEL_PUBLISHED)] == ["1"]

    world.write(specification, stream[600:900])
    for _ in range(2):
        order = Command(
            id="again",
            incident="i",
            pipeline=name,
            action="retrain",
            arguments={},
            reason="",
            issued_by="person:x",
            at=runtime.now,
            deadline=runtime.now + timedelta(minutes=5),
        )
        runtime.put(COMMANDS, order)
    runtime.advance(2)
    runtime.crash("trainer")
    runtime.advance(20)

    assert [each.version for each in runtime.messages(MODEL_PUBLISHED)] == ["1", "2"]
    assert [each.state for each in runtime.messages(COMMAND_RESULTS)] == ["accepted", "running", "running", "succeeded"]
