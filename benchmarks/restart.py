"""A predictor's restart: from the start of its process to its first prediction, its state and models there.

On a real broker. The same forest is published once as its estimator (`skops`) and once compiled, each to a
predictor of its own; these are stopped and started in turn. Run it with `homeostat bench --only restart`.
"""

from __future__ import annotations

import argparse
import json
import os
import signal
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path

import psutil
from rich.console import Console
from rich.table import Table

from benchmarks.compiled_models import EXAMPLE, FOREST, KEY, Rows, rows_with_labels, trained
from homeostat.local.guard import Guard
from homeostat.local.kafka import EmbeddedKafka, KafkaSettings
from homeostat.local.parts import http_ok
from homeostat.local.process import free_port
from homeostat.local.waiting import wait_for
from services.trainer.packing import kept
from shared.bus.base import NewRecord
from shared.bus.factory import connect
from shared.clock import monotonic
from shared.codec import encode
from shared.errors import HomeostatError
from shared.messages import Artifact, Features, Lineage, ModelPublished
from shared.models.artifact import keep, package
from shared.models.store import FileStore
from shared.pipeline.load import load
from shared.pipeline.specification import Specification
from shared.settings import common_settings
from shared.topics import FEATURES, MODEL_PUBLISHED, PREDICTIONS

PATIENCE_SECONDS = 60.0
AT = datetime(2026, 1, 1, tzinfo=UTC)


@dataclass(frozen=True)
class Start:
    """One start: seconds to the first prediction, processor seconds and resident bytes when it was there."""

    seconds: float
    processor_seconds: float
    resident_bytes: int


@dataclass
class Place:
    """One predictor's topics, folder and model."""

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
        with self._running():
            port = int(self.environ["HOMEOSTAT_HEALTH_PORT"])
            _until(lambda: http_ok(port, "/readyz"))
            self._producer.send([NewRecord(self._named(MODEL_PUBLISHED.name), b"e", encode(self._publication()))], 30.0)
            self._send()
            _until(lambda: self._predictions() > 0)

    def again(self) -> Start:
        """A start on that state, with rows waiting."""
        before = self._predictions()
        self._send()
        begun = monotonic()
        with self._running() as process:
            _until(lambda: self._predictions() > before)
            seconds = monotonic() - begun
            found = psutil.Process(process.pid)
            times = found.cpu_times()
            return Start(seconds, times.user + times.system, found.memory_info().rss)

    @contextmanager
    def _running(self) -> Iterator[subprocess.Popen[bytes]]:
        log = Path(self.environ["HOMEOSTAT_DATA"]) / f"{self.environ['HOMEOSTAT_TOPIC_PREFIX']}log"
        with log.open("ab") as out:
            command = [sys.executable, "-m", "services.predictor"]
            process = subprocess.Popen(command, env=self.environ, stdout=out, stderr=subprocess.STDOUT)
        try:
            yield process
            process.send_signal(signal.SIGTERM)
            process.wait(PATIENCE_SECONDS)
        finally:
            process.kill()

    def _predictions(self) -> int:
        return sum(self._reader.end_offsets(self._named(PREDICTIONS.name)).values())

    def _send(self) -> None:
        topic = self._named(FEATURES.name)
        self._producer.send([NewRecord(topic, b"e", encode(self._event(row))) for row in range(10)], 30.0)

    def _event(self, row: int) -> Features:
        return Features(
            pipeline=self.specification.name,
            id=f"e-{row}",
            entity="e",
            source="bench",
            at=AT,
            values=self.rows[row],
            raw=self.rows[row],
            origin=(0, row),
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

    def _named(self, topic: str) -> str:
        return self._settings.full_name(topic)


def main() -> int:
    arguments = argparse.ArgumentParser(description=__doc__)
    arguments.add_argument("--rounds", type=int, default=3)
    arguments.add_argument("--json", type=Path, default=None, help="where the figures are written")
    given = arguments.parse_args()
    guard = Guard()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        broker = EmbeddedKafka(KafkaSettings(data_dir=folder / "kafka", log=folder / "kafka.log"), guard)
        try:
            broker.start()
            broker.wait()
            found = _measured(folder, broker.bootstrap_servers, max(3, given.rounds))
        finally:
            broker.stop()
            guard.close()
    Console().print(_table(found))
    if given.json is not None:
        starts = {form: [asdict(each) for each in starts] for form, starts in found.items()}
        given.json.write_text(json.dumps(starts, indent=2) + "\n")
    return 0


def _measured(folder: Path, bootstrap: str, rounds: int) -> dict[str, list[Start]]:
    specification = load(EXAMPLE / "pipeline.yaml")
    rows, labels = rows_with_labels(specification)
    model, store = trained(specification, FOREST, rows, labels), FileStore(folder / "artifacts")
    artifacts = {
        "skops": keep(*package(model.estimator, model.metadata), store, KEY),
        "compiled": kept(model, rows, store, KEY).artifact,
    }
    places = {
        form: Place(_environ(folder, bootstrap, form), specification, artifact, rows)
        for form, artifact in artifacts.items()
    }
    for place in places.values():
        place.first()
    found: dict[str, list[Start]] = {form: [] for form in places}
    for _ in range(rounds):
        for form, place in places.items():
            found[form].append(place.again())
    return found


def _until(condition: Callable[[], bool]) -> None:
    if not wait_for(condition, PATIENCE_SECONDS, every=0.005):
        raise HomeostatError(f"the predictor did not get there in {PATIENCE_SECONDS:g} s")


def _environ(folder: Path, bootstrap: str, form: str) -> dict[str, str]:
    return {
        "PATH": os.defpath,
        "OMP_NUM_THREADS": "1",
        "KAFKA_BOOTSTRAP_SERVERS": bootstrap,
        "HOMEOSTAT_TOPIC_PREFIX": f"{form}.",
        "HOMEOSTAT_DATA": str(folder),
        "HOMEOSTAT_SIGNING_KEY": KEY.decode(),
        "HOMEOSTAT_PREDICTOR_PORT": "0",
        "HOMEOSTAT_HEALTH_PORT": str(free_port()),
    }


def _table(found: dict[str, list[Start]]) -> Table:
    table = Table("format", "to the first prediction, s", "processor, s", "resident, MiB")
    for form, starts in found.items():
        seconds = [each.seconds for each in starts]
        table.add_row(
            form,
            f"{statistics.median(seconds):.2f} ({min(seconds):.2f} to {max(seconds):.2f})",
            f"{statistics.median(each.processor_seconds for each in starts):.2f}",
            f"{statistics.median(each.resident_bytes for each in starts) / 2**20:.0f}",
        )
    return table


if __name__ == "__main__":
    raise SystemExit(main())
