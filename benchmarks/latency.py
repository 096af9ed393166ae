"""How long an answer takes at a steady rate: 2,000 events a second on a real broker, from event sent to answer read.

The predictor as it runs (exactly once: an answer can be read when its transaction is committed) beside the loop by
hand (at least once), and with `--peers` beside Quix Streams, FastStream and Bytewax. Sender and reader are this one
process for all of them, so what they add is in every figure alike. Each worker runs on topics of its own, in turn.
Run it with `homeostat bench --only latency`.
"""

from __future__ import annotations

import tempfile
import threading
from collections.abc import Iterator, Mapping
from contextlib import closing, contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path

import msgspec
from confluent_kafka import Consumer, Producer, TopicPartition
from rich.console import Console
from rich.table import Table

from benchmarks.common import compared, keep, options_in_rounds
from benchmarks.place import PATIENCE_SECONDS, Place
from benchmarks.plain_model import plain_model
from benchmarks.workers import PARTITIONS, Run, Worker, Workers
from homeostat.local.kafka import passing_kafka
from shared.bus.base import LogReader
from shared.bus.factory import connect
from shared.clock import monotonic
from shared.codec import encode
from shared.errors import HomeostatError
from shared.settings import common_settings

REFERENCE = "by hand, compiled"
TICK_SECONDS = 0.005
LATE_SECONDS = 5.0
"""How long answers are waited for after the last event."""


class Answered(msgspec.Struct):
    """Of an answer what tells which event it is of."""

    id: str


@dataclass(frozen=True)
class Latency:
    """Milliseconds from send to answer, and the share of events that was answered at all."""

    p50: float
    p99: float
    worst: float
    answered: float


@dataclass(frozen=True)
class Pace:
    """Events a second, for how many seconds, after how many that are not counted."""

    rate: int
    seconds: float
    warm_seconds: float

    @property
    def events(self) -> int:
        """All of them."""
        return int(self.rate * (self.seconds + self.warm_seconds))


def main() -> int:
    arguments = options_in_rounds(__doc__)
    arguments.add_argument("--rate", type=int, default=2_000, help="events a second")
    arguments.add_argument("--seconds", type=float, default=10.0, help="that are counted, of each worker in each round")
    arguments.add_argument("--peers", action="store_true")
    given = arguments.parse_args()
    pace = Pace(given.rate, given.seconds, 2.0)
    with tempfile.TemporaryDirectory() as name, passing_kafka(Path(name)) as bootstrap:
        found = _measured(Path(name), bootstrap, pace, max(3, given.rounds), peers=given.peers)
    Console().print(_table(found, given.rate))
    keep({worker: [asdict(each) for each in rounds] for worker, rounds in found.items()}, given.json)
    return 0


def latency_of(sent: Mapping[str, float], received: Mapping[str, float]) -> Latency:
    """Of the events in `sent`, by id and second; `received` may hold others too.

    >>> latency_of({"a": 1.0, "b": 2.0}, {"a": 1.5, "x": 9.0})
    Latency(p50=500.0, p99=500.0, worst=500.0, answered=0.5)
    """
    times = sorted((received[each] - at) * 1000 for each, at in sent.items() if each in received)
    if not times:
        return Latency(float("nan"), float("nan"), float("nan"), 0.0)
    p50, p99 = (times[min(len(times) - 1, int(len(times) * share))] for share in (0.5, 0.99))
    return Latency(p50, p99, times[-1], len(times) / max(1, len(sent)))


def _measured(folder: Path, bootstrap: str, pace: Pace, rounds: int, *, peers: bool) -> dict[str, list[Latency]]:
    bus = connect(common_settings({"KAFKA_BOOTSTRAP_SERVERS": bootstrap, "HOMEOSTAT_DATA": str(folder)}))
    workers = Workers(plain_model(), folder, bootstrap, bus)
    ours, place = workers.ours()
    taken = [ours, workers.by_hand("compiled")]
    if peers:
        taken += [
            workers.peer("Quix Streams", "quix", "estimator"),
            workers.peer("FastStream, batches", "faststream_batches", "estimator"),
            workers.peer("Bytewax, batches", "bytewax_batches", "estimator"),
        ]
    events = [encode(place.event(number)) for number in range(pace.events)]
    found: dict[str, list[Latency]] = {each.name: [] for each in taken}
    with closing(bus.reader("bench")) as reader:
        for _ in range(rounds):
            for each in taken:
                found[each.name].append(_latency(each, place, reader, bootstrap, events, pace))
    return found


def _latency(
    worker: Worker, place: Place, reader: LogReader, bootstrap: str, events: list[bytes], pace: Pace
) -> Latency:
    run = worker.run()
    place.send(PARTITIONS * 10, run.source)
    with _reading(bootstrap, run, reader) as consumer, run.running(0):
        if not _received(consumer, 1, PATIENCE_SECONDS):
            raise HomeostatError(f"{worker.name} gave no answer within {PATIENCE_SECONDS:g} s")
        sent: dict[str, float] = {}
        sender = threading.Thread(target=_send, args=(bootstrap, run.source, events, pace, sent))
        sender.start()
        received = _received(consumer, len(events), pace.seconds + pace.warm_seconds + LATE_SECONDS)
        sender.join()
    warm = int(pace.rate * pace.warm_seconds)
    return latency_of(dict(list(sent.items())[warm:]), received)


def _send(bootstrap: str, topic: str, events: list[bytes], pace: Pace, sent: dict[str, float]) -> None:
    """Events in small lots, each lot at its time; `sent` is told when each was handed to the client."""
    producer = Producer({"bootstrap.servers": bootstrap, "acks": "all", "linger.ms": 0})
    begun, wait = monotonic(), threading.Event()
    decoder = msgspec.json.Decoder(Answered)
    names = [decoder.decode(event).id for event in events]
    done = 0
    while done < len(events):
        due = min(len(events), int((monotonic() - begun) * pace.rate))
        for place in range(done, due):
            sent[names[place]] = monotonic()
            producer.produce(topic, events[place], names[place])
        done = due
        producer.poll(0)
        wait.wait(TICK_SECONDS)
    producer.flush()


@contextmanager
def _reading(bootstrap: str, run: Run, reader: LogReader) -> Iterator[Consumer]:
    """A reader of answers from here on, only of what is committed."""
    settings = {"bootstrap.servers": bootstrap, "group.id": "bench", "enable.auto.commit": False}
    consumer = Consumer({**settings, "isolation.level": "read_committed", "fetch.wait.max.ms": 5})
    ends = reader.end_offsets(run.target)
    consumer.assign([TopicPartition(run.target, partition, end) for partition, end in ends.items()])
    try:
        yield consumer
    finally:
        consumer.close()


def _received(consumer: Consumer, count: int, seconds: float) -> dict[str, float]:
    """When each answer came, until so many came or the time is over."""
    found: dict[str, float] = {}
    decoder = msgspec.json.Decoder(Answered)
    deadline = monotonic() + seconds
    while len(found) < count and monotonic() < deadline:
        first = consumer.consume(1, 0.05)
        for message in first + consumer.consume(1_000, 0) if first else []:
            if message.error() is None:
                found[decoder.decode(message.value() or b"null").id] = monotonic()
    return found


def _table(found: Mapping[str, list[Latency]], rate: int) -> Table:
    table = Table(
        "worker", "p50, ms", "p99, ms", f"p99 against {REFERENCE}", "worst, ms", "answered", title=f"{rate:,} events/s"
    )
    p50, p99, worst, answered = (
        compared({name: [getattr(one, part) for one in each] for name, each in found.items()}, REFERENCE)
        for part in ("p50", "p99", "worst", "answered")
    )
    for half, most, last, share in zip(p50, p99, worst, answered, strict=True):
        cells = (
            f"{half.median:.2f}",
            f"{most.median:.2f}",
            f"{most.ratio:.2f}",
            f"{last.median:.1f}",
            f"{share.median:.2%}",
        )
        table.add_row(half.worker, *cells)
    return table


if __name__ == "__main__":
    raise SystemExit(main())
