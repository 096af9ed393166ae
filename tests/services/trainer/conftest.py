"""A log that holds the electricity example, and what a job is given to read it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import polars as pl
import pytest
from ruamel.yaml import YAML

from shared.bus.base import NewRecord, TopicSpec
from shared.bus.memory import MemoryBus
from shared.codec import encode
from shared.messages import Features, Label
from shared.pipeline.specification import Specification
from shared.runtime.jobs import JobContext
from shared.settings import CommonSettings
from shared.topics import FEATURES, LABELS
from tests.services.trainer.bench import Bench

EXAMPLE = Path(__file__).parents[3] / "examples" / "electricity"
NOW = datetime(2026, 11, 21, tzinfo=UTC)
PARTITIONS = 4


@dataclass
class World:
    """A log with rows of a real stream in it, and a folder for artefacts."""

    folder: Path
    bus: MemoryBus = field(default_factory=MemoryBus)
    tracking_uri: str | None = None

    def __post_init__(self) -> None:
        self.bus.ensure_topics([TopicSpec(topic.name, PARTITIONS, 1, {}) for topic in (FEATURES, LABELS)], timeout=1.0)
        self.producer = self.bus.producer("test")

    @property
    def context(self) -> JobContext:
        settings = CommonSettings(
            bootstrap_servers="memory",
            data_dir=self.folder,
            signing_key=b"a key for tests",
            mlflow_tracking_uri=self.tracking_uri,
        )
        return JobContext(settings, self.bus, NOW)

    def write(
        self,
        specification: Specification,
        rows: pl.DataFrame,
        *,
        label: Callable[[dict[str, Any]], Any] | None = None,
        withheld: tuple[str, ...] = (),
        source: str = "market",
    ) -> None:
        """Events of `rows` over the partitions in turn, each with its label."""
        features, labels = [], []
        for index, row in enumerate(rows.to_dicts()):
            partition = index % PARTITIONS
            values = {name: row[name] for name in specification.feature_names}
            event = Features(
                pipeline=specification.name,
                id=row["id"],
                entity=row["id"],
                source=source,
                at=row["at"],
                values=values,
                raw=values,
                origin=(partition, index),
                definition=specification.definition,
                withheld=withheld,
            )
            features.append(NewRecord(FEATURES.name, None, encode(event), partition=partition))
            truth = row["target"] if label is None else label(row)
            if truth is not None:
                told = Label(pipeline=specification.name, id=row["id"], label=truth)
                labels.append(NewRecord(LABELS.name, None, encode(told), partition=(index * 7) % PARTITIONS))
        self.producer.send(features, 10.0)
        self.producer.send(labels, 10.0)


@pytest.fixture
def bench() -> Bench:
    return Bench()


@pytest.fixture
def world(tmp_path: Path) -> World:
    return World(tmp_path)


@pytest.fixture(scope="session")
def stream() -> pl.DataFrame:
    """Real rows in stream order: columns of the example, `at` in UTC."""
    frame = pl.read_parquet(EXAMPLE / "data.parquet").head(6_000)
    if frame["at"].dtype == pl.String:
        return frame.with_columns(pl.col("at").str.to_datetime(time_zone="UTC"))
    return frame.with_columns(pl.col("at").cast(pl.Datetime("us")).dt.replace_time_zone("UTC"))


@pytest.fixture(scope="session")
def specified() -> Callable[..., Specification]:
    """The electricity pipeline with its fields as features, and the parts that a test wants to differ."""
    document = YAML(typ="safe").load(EXAMPLE / "pipeline.yaml")
    small = {"min_rows": 300, "train_rows": 2000, "search": {"seconds": 0, "trials": 0}, "candidates": ["logistic"]}

    def make(**parts: Any) -> Specification:
        changed = {**document, "features": {}, "models": small, "gate": {}, "release": {}, "policies": []}
        for name, part in parts.items():
            changed[name] = {**small, **part} if name == "models" else part
        return Specification.model_validate(changed)

    return make
