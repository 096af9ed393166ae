"""Streaming prediction on a real broker: events on `features` to answers, a backlog worked off by one process.

The predictor as it runs (exactly once, schema checks, metrics, tracing, version tags) beside the loop that
one would write by hand (`hand_written`: at least once, none of these), both on the same events and the same
logistic model, taken in turn. Rates are over the answers from 10 % to the end, by the time they were written.
Run it with `homeostat bench --only streaming`.
"""

from __future__ import annotations

import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, closing, contextmanager
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path

import msgspec
from rich.console import Console

from benchmarks.common import Figure, compared, keep, options_in_rounds, table_of
from benchmarks.compiled_models import EXAMPLE, KEY, rows_with_labels, trained
from benchmarks.place import PATIENCE_SECONDS, Place, environ_of
from homeostat.local.kafka import passing_kafka
from services.trainer.packing import kept
from shared.bus.base import LogReader, TopicSpec
from shared.bus.factory import connect
from shared.clock import monotonic
from shared.errors import HomeostatError
from shared.models.store import FileStore
from shared.pipeline.load import load
from shared.settings import common_settings
from shared.topics import FEATURES, PREDICTIONS

PARTITIONS = 4
WARM_SHARE = 0.1
REFERENCE = "by hand, compiled"


@dataclass(frozen=True)
class Worker:
    """What is measured: its process, and where its answers go."""

    running: Callable[[], AbstractContextManager[object]]
    answers: str


def main() -> int:
    arguments = options_in_rounds(__doc__)
    arguments.add_argument("--events", type=int, default=200_000)
    given = arguments.parse_args()
    with tempfile.TemporaryDirectory() as name, passing_kafka(Path(name)) as bootstrap:
        figures = _measured(Path(name), bootstrap, given.events, max(3, given.rounds))
    Console().print(table_of(figures, "answers a second", REFERENCE))
    keep([asdict(each) for each in figures], given.json)
    return 0


def _measured(folder: Path, bootstrap: str, events: int, rounds: int) -> list[Figure]:
    specification = load(EXAMPLE / "pipeline.yaml")
    rows, labels = rows_with_labels(specification)
    artifact = kept(
        trained(specification, "logistic", rows, labels), rows, FileStore(folder / "artifacts"), KEY
    ).artifact
    (folder / "model.json").write_bytes(msgspec.json.encode(artifact))
    place = Place(environ_of(folder, bootstrap, "ours"), specification, artifact, rows)
    place.first()
    bus = connect(common_settings(place.environ))
    workers = {"homeostat, exactly once": Worker(place.running, place.named(PREDICTIONS.name))}
    for form in ("estimator", "compiled"):
        target = f"by-hand-{form}"
        bus.ensure_topics([TopicSpec(target, PARTITIONS, 1, {})], timeout=PATIENCE_SECONDS)
        running = partial(_by_hand, folder, bootstrap, place.named(FEATURES.name), target, form)
        workers[f"by hand, {form}"] = Worker(running, target)
    rates: dict[str, list[float]] = {name: [] for name in workers}
    with closing(bus.reader("bench")) as reader:
        for _ in range(rounds):
            place.send(events)
            for name, worker in workers.items():
                rates[name].append(_rate(worker, reader, events))
    return compared(rates, REFERENCE)


@contextmanager
def _by_hand(folder: Path, bootstrap: str, source: str, target: str, form: str) -> Iterator[None]:
    command = [sys.executable, "-m", "benchmarks.hand_written", "--bootstrap", bootstrap, "--source", source]
    command += ["--target", target, "--model", str(folder / "model.json"), "--form", form]
    process = subprocess.Popen(command)
    try:
        yield
        process.terminate()
        process.wait(PATIENCE_SECONDS)
    finally:
        process.kill()


def _rate(worker: Worker, reader: LogReader, events: int) -> float:
    """Answers a second to a backlog of `events`, its first tenth left out: starting is measured elsewhere."""
    reader.follow({(worker.answers, p): end for p, end in reader.end_offsets(worker.answers).items()})
    times: list[int] = []
    deadline = monotonic() + PATIENCE_SECONDS
    with worker.running():
        while len(times) < events:
            times += [record.timestamp_ms for record in reader.poll(20_000, 1.0)]
            if monotonic() > deadline:
                raise HomeostatError(f"{len(times)} of {events} answers on {worker.answers} by the deadline")
    times.sort()
    warm = int(len(times) * WARM_SHARE)
    return (len(times) - warm) / max(0.001, (times[-1] - times[warm]) / 1000)


if __name__ == "__main__":
    raise SystemExit(main())
