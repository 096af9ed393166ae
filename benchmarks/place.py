"""One predictor under measurement: its topics on a broker, its folder, its model, and its process."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from benchmarks.compiled_models import Rows
from benchmarks.opened import KEY
from homeostat.local.parts import http_ok
from homeostat.local.process import free_port
from homeostat.local.waiting import wait_for
from shared.bus.base import NewRecord
from shared.bus.factory import connect
from shared.codec import encode
from shared.errors import HomeostatError
from shared.messages import Artifact, Features, Lineage, ModelPublished
from shared.pipeline.specification import Specification
from shared.settings import common_settings
from shared.topics import FEATURES, MODEL_PUBLISHED, PREDICTIONS

PATIENCE_SECONDS = 60.0
AT = datetime(2026, 1, 1, tzinfo=UTC)
SENT_AT_ONCE = 5_000
ENTITIES = 64


@dataclass
class Place:
    """A predictor's topics, folder and model. `rows` are feature rows, sent over and over under fresh ids."""

    environ: dict[str, str]
    specification: Specification
    artifact: Artifact
    rows: Rows

    def __post_init__(self) -> None:
        self._settings = common_settings(self.environ)
        bus = connect(self._settings)
        self._producer, self._reader = bus.producer("bench"), bus.reader("bench")

    def first(self) -> None:
        """A start on nothing: makes the topics, takes the model and answers a row, so that there is a state."""
        with self.running():
            port = int(self.environ["HOMEOSTAT_HEALTH_PORT"])
            until(lambda: http_ok(port, "/readyz"))
            publication = NewRecord(self.named(MODEL_PUBLISHED.name), b"e", encode(self._publication()))
            self._producer.send([publication], PATIENCE_SECONDS)
            self.send(10)
            until(lambda: self.predictions() > 0)

    @contextmanager
    def running(self, instance: int = 0) -> Iterator[subprocess.Popen[bytes]]:
        """A process of the predictor, ended in order afterwards; several share the partitions."""
        log = Path(self.environ["HOMEOSTAT_DATA"]) / f"{self.environ['HOMEOSTAT_TOPIC_PREFIX']}log"
        environ = self.environ
        if instance:
            own = {"HOMEOSTAT_INSTANCE": str(instance), "HOMEOSTAT_HEALTH_PORT": "0", "HOMEOSTAT_PREDICTOR_PORT": "0"}
            environ = environ | own
        with log.open("ab") as out:
            command = [sys.executable, "-m", "services.predictor"]
            process = subprocess.Popen(command, env=environ, stdout=out, stderr=subprocess.STDOUT)
        try:
            yield process
            process.send_signal(signal.SIGTERM)
            process.wait(PATIENCE_SECONDS)
        finally:
            process.kill()

    def predictions(self) -> int:
        """Offsets on `predictions` that are taken, those of transactions included."""
        return sum(self._reader.end_offsets(self.named(PREDICTIONS.name)).values())

    def send(self, count: int, topic: str = "") -> None:
        """So many events on `features` (or another topic, by its full name), acknowledged."""
        topic = topic or self.named(FEATURES.name)
        for start in range(0, count, SENT_AT_ONCE):
            numbers = range(start, min(start + SENT_AT_ONCE, count))
            events = [self.event(number) for number in numbers]
            self._producer.send([NewRecord(topic, e.entity.encode(), encode(e)) for e in events], PATIENCE_SECONDS)

    def named(self, topic: str) -> str:
        """The topic's name on the broker."""
        return self._settings.full_name(topic)

    def event(self, number: int) -> Features:
        """The features of this row, under an id of its own."""
        row = self.rows[number % len(self.rows)]
        return Features(
            pipeline=self.specification.name,
            id=f"e-{number}",
            entity=f"e-{number % ENTITIES}",
            source="bench",
            at=AT,
            values=row,
            raw=row,
            origin=(0, number),
            definition=self.specification.definition,
        )

    def _publication(self) -> ModelPublished:
        return ModelPublished(
            pipeline=self.specification.name,
            version="1",
            stage="champion",
            artifact=self.artifact,
            features=self.specification.feature_names,
            definition=self.specification.definition,
            kind=self.specification.kind,
            lineage=Lineage(
                features_ranges={},
                labels_ranges={},
                data_hash="",
                rows=len(self.rows),
                specification_version=1,
                specification_digest=self.specification.digest,
                code_revision="",
                seed=0,
                libraries={},
            ),
        )


def until(condition: Callable[[], bool], seconds: float = PATIENCE_SECONDS) -> None:
    """Waits; `HomeostatError` after so many seconds."""
    if not wait_for(condition, seconds, every=0.005):
        raise HomeostatError(f"the predictor did not get there in {seconds:g} s")


def environ_of(folder: Path, bootstrap: str, prefix: str) -> dict[str, str]:
    """The settings of a predictor with topics of its own; one thread for the numeric libraries."""
    return {
        "PATH": os.defpath,
        "OMP_NUM_THREADS": "1",
        "KAFKA_BOOTSTRAP_SERVERS": bootstrap,
        "HOMEOSTAT_TOPIC_PREFIX": f"{prefix}.",
        "HOMEOSTAT_DATA": str(folder),
        "HOMEOSTAT_SIGNING_KEY": KEY.decode(),
        "HOMEOSTAT_PREDICTOR_PORT": "0",
        "HOMEOSTAT_HEALTH_PORT": str(free_port()),
    }
