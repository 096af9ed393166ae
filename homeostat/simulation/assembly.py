"""Which services a simulation is made of, and what each is given."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from services.ingest.jobs import JOBS as INGEST_JOBS
from services.ingest.service import Ingest
from services.ingest.settings import IngestSettings
from services.monitor.service import Monitor
from services.monitor.settings import MonitorSettings
from services.predictor.board import Board
from services.predictor.service import Predictor
from services.remediator.service import Remediator
from services.remediator.settings import RemediatorSettings, remediator_settings
from services.trainer.jobs import JOBS as TRAINER_JOBS
from services.trainer.service import Trainer
from services.trainer.settings import TrainerSettings
from shared.models.artifact import ModelCache
from shared.models.store import ArtifactStore
from shared.runtime.host import Make
from shared.runtime.jobs import Jobs
from shared.service import Job

TRAINING_SECONDS = 5.0
OTHER_JOB_SECONDS = 0.5
REVISION = "simulated"


@dataclass(frozen=True, slots=True, kw_only=True)
class Knobs:
    """The services' own settings. The defaults are those they run with, without an MLflow to write to."""

    ingest: IngestSettings = field(default_factory=IngestSettings)
    monitor: MonitorSettings = field(default_factory=MonitorSettings)
    remediator: RemediatorSettings = field(default_factory=lambda: remediator_settings({}))
    trainer: TrainerSettings = field(default_factory=lambda: TrainerSettings(code_revision=REVISION))


def services_of(knobs: Knobs, store: ArtifactStore, signing_key: bytes) -> dict[str, Make]:
    """Each service's maker, in the order in which they take their turns. The loaded models are one process's."""
    models = ModelCache(store, signing_key)
    return {
        "ingest": lambda task: Ingest(task.partition, knobs.ingest),
        "predictor": lambda task: Predictor(task.partition, models, Board()),
        "monitor": lambda _: Monitor(knobs.monitor),
        "remediator": lambda _: Remediator(knobs.remediator),
        "trainer": lambda _: Trainer(knobs.trainer),
    }


def jobs_of() -> Mapping[str, Jobs]:
    """Each service's table of slow work. There is no MLflow: what would be registered there is not."""
    return {"ingest": INGEST_JOBS, "trainer": {**TRAINER_JOBS, "register": _not_registered}}


def usual_seconds(training_seconds: float = TRAINING_SECONDS) -> Callable[[Job], float]:
    """How long a job takes in virtual time: `training_seconds` for a training, half a second for any other."""
    return lambda job: training_seconds if job.name == "train" else OTHER_JOB_SECONDS


def _not_registered(*_: object) -> dict[str, Any]:
    raise ConnectionError("there is no MLflow in a simulation")
