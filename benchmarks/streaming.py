"""Streaming prediction on a real broker: events on `features` to answers, a backlog worked off by one process.

The predictor as it runs (exactly once, schema checks, metrics, tracing, version tags) beside the loop that one would
write by hand (`hand_written`: at least once, none of these) and beside Quix Streams, FastStream and Bytewax, all on
the same events, with the same model as scikit-learn made it (`estimator`; ours always answers as it was published,
compiled) or compiled for them too. In turn; rates are over the answers from 10 % to the end, or to the end of
`--seconds`, by the time they were written. Run it with `homeostat bench --only streaming`.
"""

from __future__ import annotations

import gc
import tempfile
from argparse import Namespace
from collections.abc import Sequence
from contextlib import closing
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path

from rich.console import Console

from benchmarks.common import Figure, compared, in_turn, keep, options_in_rounds, table_of
from benchmarks.compiled_models import FOREST
from benchmarks.place import PATIENCE_SECONDS, Place
from benchmarks.plain_model import plain_model
from benchmarks.workers import Worker, Workers
from homeostat.local.kafka import passing_kafka
from shared.bus.base import LogReader
from shared.bus.factory import connect
from shared.clock import monotonic
from shared.errors import HomeostatError
from shared.settings import common_settings

WARM_SHARE = 0.1
LEAST_ANSWERS = 100
REFERENCE = "by hand, compiled"
PEER = "Quix Streams, estimator"
SLOWER = 10
"""A peer that asks the model row by row is given a tenth of the events: the rest would only wait."""

SLOW = (PEER, "FastStream, batches, estimator", "Bytewax, batches, estimator", "Quix Streams, compiled")


@dataclass(frozen=True)
class Measure:
    """How a rate is taken: from `place`'s events, over `events` answers or what came in `seconds`."""

    place: Place
    reader: LogReader
    events: int
    seconds: float


def main() -> int:
    arguments = options_in_rounds(__doc__)
    arguments.add_argument("--events", type=int, default=200_000)
    arguments.add_argument("--seconds", type=float, default=30.0, help="the longest that one worker is waited for")
    arguments.add_argument("--learner", choices=("logistic", "forest"), default="logistic")
    arguments.add_argument(
        "--alone", action="store_true", help="without the peers, of which the first run is an install"
    )
    given = arguments.parse_args()
    learner = FOREST if given.learner == "forest" else "logistic"
    with tempfile.TemporaryDirectory() as name, passing_kafka(Path(name)) as bootstrap:
        figures = _measured(Path(name), bootstrap, learner, given)
    console = Console()
    for reference in (REFERENCE,) if given.alone else (REFERENCE, PEER):
        console.print(table_of(_beside(figures, reference), f"{given.learner}: answers a second", reference))
    keep([asdict(each) for each in figures], given.json)
    return 0


def _beside(figures: Sequence[Figure], reference: str) -> list[Figure]:
    return compared({each.worker: each.figures for each in figures}, reference)


def _measured(folder: Path, bootstrap: str, learner: str, given: Namespace) -> list[Figure]:
    environ = {"KAFKA_BOOTSTRAP_SERVERS": bootstrap, "HOMEOSTAT_DATA": str(folder)}
    bus = connect(common_settings(environ))
    workers = Workers(plain_model(learner), folder, bootstrap, bus)
    ours, place = workers.ours()
    taken = [ours, workers.by_hand("estimator"), workers.by_hand("compiled")]
    if not given.alone:
        taken += [workers.ours("kafka-python")[0], *_peers(workers)]
    with closing(bus.reader("bench")) as reader:
        measure = Measure(place, reader, given.events, given.seconds)
        return compared(in_turn({each.name: partial(rate, each, measure) for each in taken}, given.rounds), REFERENCE)


def _peers(workers: Workers) -> list[Worker]:
    return [
        workers.peer("Quix Streams", "quix", "estimator"),
        workers.peer("Quix Streams", "quix", "compiled"),
        workers.peer("FastStream, batches", "faststream_batches", "estimator"),
        workers.peer("Bytewax, batches", "bytewax_batches", "estimator"),
    ]


def rate(worker: Worker, measure: Measure) -> float:
    """Answers a second to a backlog, its first tenth left out: starting is measured elsewhere."""
    gc.disable()  # over records with headers it takes this process as long as the worker takes to answer them
    run, reader = worker.run(), measure.reader
    events = measure.events // (SLOWER if worker.name in SLOW else 1)
    measure.place.send(events, run.source)
    reader.follow({(run.target, p): end for p, end in reader.end_offsets(run.target).items()})
    times: list[int] = []
    deadline = monotonic() + PATIENCE_SECONDS + measure.seconds
    until = deadline
    with run.running(0):
        while len(times) < events and monotonic() < until:
            times += [record.timestamp_ms for record in reader.poll(20_000, 1.0)]
            if times and until == deadline:
                until = monotonic() + measure.seconds
    if len(times) < LEAST_ANSWERS:
        raise HomeostatError(f"{worker.name}: {len(times)} of {events} answers on {run.target} by the deadline")
    return rate_of(times)


def rate_of(times_ms: Sequence[int]) -> float:
    """Answers a second, from the first tenth of them on.

    >>> rate_of([0] * 10 + list(range(1000, 1090)))
    1000.0
    """
    ordered = sorted(times_ms)
    warm = int(len(ordered) * WARM_SHARE)
    return (len(ordered) - warm - 1) / max(0.001, (ordered[-1] - ordered[warm]) / 1000)


if __name__ == "__main__":
    raise SystemExit(main())
