"""What turns events into answers on a broker: our predictor, the loop by hand, the peers; each with its own topics."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, ExitStack, closing, contextmanager, suppress
from dataclasses import dataclass
from functools import partial
from itertools import count
from pathlib import Path

from benchmarks.environments import CHECKOUT, python_of
from benchmarks.opened import ARTIFACTS, Form, named
from benchmarks.peer_process import environ_of_peers
from benchmarks.place import PATIENCE_SECONDS, Place, environ_of, until
from benchmarks.plain_model import PlainModel
from shared.bus.base import Bus, TopicSpec
from shared.errors import Transient
from shared.models.store import FileStore
from shared.topics import FEATURES, PREDICTIONS

PARTITIONS = 4
WHEN_WRITTEN = {"message.timestamp.type": "LogAppendTime"}
"""Some peers give an answer the time of its event: the broker says when it came."""


@dataclass(frozen=True)
class Run:
    """One run of a worker: events are sent to `source`, `target` is where its answers come; both are there.

    `running` is one process of it, the first or another one.
    """

    source: str
    target: str
    running: Callable[[int], AbstractContextManager[object]]


@dataclass(frozen=True)
class Worker:
    """`run` makes ready for one more run, in which nothing is left of the one before."""

    name: str
    run: Callable[[], Run]

    def of(self, processes: int) -> Worker:
        """As many processes of it, which share the partitions."""
        return Worker(f"{self.name}, {processes}", lambda: _many(self.run(), processes))


def _many(run: Run, processes: int) -> Run:
    @contextmanager
    def running(_: int = 0) -> Iterator[None]:
        with ExitStack() as stack:
            for instance in range(processes):
                stack.enter_context(run.running(instance))
            yield

    return Run(run.source, run.target, running)


class Workers:
    """All of them around one model. Files lie in `folder`; topics have so many partitions."""

    def __init__(self, model: PlainModel, folder: Path, bootstrap: str, bus: Bus, partitions: int = PARTITIONS) -> None:
        self._model, self._folder, self._bootstrap, self._bus = model, folder, bootstrap, bus
        self._partitions = partitions
        self._artifact = model.kept(FileStore(folder / ARTIFACTS))
        self._file = named(self._artifact, folder)
        self._numbers = count()

    def ours(self, client: str = "confluent") -> tuple[Worker, Place]:
        """The predictor over this Kafka client; it has answered already."""
        environ = environ_of(self._folder, self._bootstrap, f"ours-{client}-{self._partitions}")
        environ |= {"HOMEOSTAT_KAFKA_CLIENT": client, "HOMEOSTAT_DATA_PARTITIONS": str(self._partitions)}
        place = Place(environ, self._model.specification, self._artifact, self._model.rows)
        place.first()
        run = Run(place.named(FEATURES.name), place.named(PREDICTIONS.name), place.running)
        return Worker(f"homeostat, exactly once, {client}", lambda: run), place

    def by_hand(self, form: Form) -> Worker:
        """The loop of `benchmarks.hand_written`."""
        command = [sys.executable, "-m", "benchmarks.hand_written"]
        return Worker(f"by hand, {form}", partial(self._run, command, form))

    def peer(self, name: str, module: str, form: Form) -> Worker:
        """A peer in `benchmarks.peers`."""
        command = [str(python_of("streaming")), "-m", f"benchmarks.peers.{module}"]
        return Worker(f"{name}, {form}", partial(self._run, command, form))

    def _run(self, command: Sequence[str], form: Form) -> Run:
        number = next(self._numbers)
        source, target = (f"bench.{self._partitions}.{number}.{what}" for what in ("events", "answers"))
        self._bus.ensure_topics(
            [TopicSpec(name, self._partitions, 1, WHEN_WRITTEN) for name in (source, target)], PATIENCE_SECONDS
        )
        until(lambda: self._led(source) and self._led(target))
        told = ["--bootstrap", self._bootstrap, "--source", source, "--target", target, "--form", form]
        log = self._folder / f"worker-{self._partitions}-{number}.log"
        return Run(source, target, partial(_process, [*command, *told, "--model", str(self._file)], log))

    def _led(self, topic: str) -> bool:
        """Whether a topic that was just made can be asked for its end."""
        with closing(self._bus.reader("bench")) as reader, suppress(Transient):
            return len(reader.end_offsets(topic)) == self._partitions
        return False


@contextmanager
def _process(command: Sequence[str], log: Path, _: int = 0) -> Iterator[None]:
    """Ended in order afterwards, and if that takes too long, by force."""
    with log.open("ab") as out:
        process = subprocess.Popen(command, cwd=CHECKOUT, env=environ_of_peers(), stdout=out, stderr=subprocess.STDOUT)
    try:
        yield
        process.terminate()
        try:
            process.wait(PATIENCE_SECONDS)
        except subprocess.TimeoutExpired:
            process.kill()
    finally:
        process.kill()
        process.wait()
