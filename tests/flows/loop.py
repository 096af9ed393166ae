"""The whole loop over the log in memory, driven by the demo's story: what `tests/flows/` tells stories with."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from homeostat.demo.story import Story
from homeostat.rows import frame_of, rows_of
from services.ingest.jobs import JOBS as INGEST_JOBS
from services.ingest.service import Ingest
from services.ingest.settings import IngestSettings
from services.monitor.service import Monitor
from services.monitor.settings import MonitorSettings
from services.predictor.board import Board
from services.predictor.service import Predictor
from services.remediator.service import Remediator
from services.remediator.settings import remediator_settings
from services.trainer.jobs import JOBS as TRAINER_JOBS
from services.trainer.service import Trainer
from services.trainer.settings import trainer_settings
from shared.messages import PipelineDefined, RawRecord, Request
from shared.models.artifact import ModelCache
from shared.models.store import FileStore
from shared.pipeline.load import load
from shared.pipeline.specification import Specification
from shared.runtime.memory import MemoryRuntime
from shared.service import Job
from shared.settings import CommonSettings
from shared.topics import PIPELINES, RAW_DATA, REQUESTS

EXAMPLES = Path(__file__).parents[2] / "examples"
START = datetime(2026, 1, 1, tzinfo=UTC)
KEY = b"a key for tests"


class Loop:
    """Ingest, predictor, monitor, remediator and trainer in one process, under one virtual clock."""

    def __init__(self, example: str, data_dir: Path, *, training_seconds: float = 6.0) -> None:
        self.specification = _searched_by_trials(load(EXAMPLES / example / "pipeline.yaml"))
        self.table = rows_of(frame_of(str(EXAMPLES / example / "data.parquet")))
        self.settings = CommonSettings(bootstrap_servers="memory", data_dir=data_dir, signing_key=KEY)
        models = ModelCache(FileStore(data_dir / "artifacts"), KEY)
        trainer = trainer_settings({}, self.settings)
        remediation = remediator_settings({})
        self.runtime = MemoryRuntime(
            {
                "ingest": lambda task: Ingest(task.partition, IngestSettings()),
                "predictor": lambda task: Predictor(task.partition, models, Board()),
                "monitor": lambda _: Monitor(MonitorSettings()),
                "remediator": lambda _: Remediator(remediation),
                "trainer": lambda _: Trainer(trainer),
            },
            jobs={"ingest": INGEST_JOBS, "trainer": {**TRAINER_JOBS, "register": _not_registered}},
            settings=self.settings,
            now=START,
            job_seconds=lambda job: _job_seconds(job, training_seconds),
        )
        self._define()

    def play(self, story: Story, *, speed: float, at_row: Mapping[int, Callable[[], None]] | None = None) -> None:
        """Sends the story's rows, and each label `label_lag` rows after its event, `speed` rows a virtual second."""
        at_row = at_row or {}
        step = max(1, int(speed))
        self._rows(story, 0, story.warm_up)
        self._labels(0, story.warm_up)
        self.runtime.advance(20)
        labelled = story.warm_up
        for start in range(story.warm_up, story.rows, step):
            stop = min(start + step, story.rows)
            for row in range(start, stop):
                if row in at_row:
                    at_row[row]()
            self._rows(story, start, stop)
            self._labels(labelled, stop - story.label_lag)
            labelled = max(labelled, stop - story.label_lag)
            self.runtime.advance(1.0)
        self._labels(labelled, story.rows)
        self.runtime.advance(30)

    def ask(self, action: str, arguments: Mapping[str, Any]) -> None:
        """A person's request."""
        self.runtime.put(
            REQUESTS,
            Request(
                id=f"request-{self.runtime.now.isoformat()}",
                pipeline=self.specification.name,
                action=action,
                issued_by="person:test",
                at=self.runtime.now,
                arguments=dict(arguments),
            ),
        )

    def _define(self) -> None:
        specification = self.specification
        self.runtime.put(
            PIPELINES,
            PipelineDefined(
                pipeline=specification.name,
                version=1,
                digest=specification.digest,
                specification=specification.canonical,
                at=START,
                issued_by="test",
            ),
        )
        self.runtime.run_until_idle()

    def _rows(self, story: Story, start: int, stop: int) -> None:
        for index in range(start, stop):
            row = story.row(index, self.table[index])
            del row[str(self.specification.target)]
            entity = str(row[str(self.specification.key)])
            self.runtime.put(
                RAW_DATA,
                RawRecord(
                    pipeline=self.specification.name, id=str(row["id"]), entity=entity, source="market", values=row
                ),
            )

    def _labels(self, start: int, stop: int) -> None:
        target = str(self.specification.target)
        for row in self.table[start : max(start, stop)]:
            self.runtime.put(
                RAW_DATA,
                RawRecord(
                    pipeline=self.specification.name,
                    id=str(row["id"]),
                    entity=str(row["id"]),
                    source="settlement",
                    kind="label",
                    label=row[target],
                ),
            )


def _searched_by_trials(specification: Specification) -> Specification:
    """A search that ends by its trials alone: seconds would make two runs differ."""
    document = specification.canonical
    models = {**document["models"], "search": {"seconds": 3600, "trials": 4}}
    return Specification.model_validate({**document, "models": models})


def _job_seconds(job: Job, training_seconds: float) -> float:
    return training_seconds if job.name == "train" else 0.5


def _not_registered(arguments: dict[str, Any], context: object) -> dict[str, Any]:
    """MLflow is away in these stories: the loop must not need it."""
    raise ConnectionError("MLflow is not reachable in this story")
