"""What fails beneath the services: the log, the snapshot stores, the model store and the jobs."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from homeostat.simulation.injector import Injector, TopicPartition
from shared.bus.base import NewRecord, Record
from shared.bus.memory import MemoryBus, MemoryReader, MemoryTransaction
from shared.errors import Transient
from shared.messages import Artifact
from shared.models.store import FileStore
from shared.runtime.jobs import JobContext, JobFunction, Jobs
from shared.service import Job
from shared.state import MemoryStore

JOB_SECONDS = 5.0
NO_SPACE, HALF = 1 / 3, 2 / 3
"""Up to which size of a full disk nothing is written, and up to which a half; beyond, a snapshot is there with one bit
that was not written so.
"""
SLOWEST = 1200.0
LATEST = 2
"""How often in a row what is read outside the group may not be there yet."""


class Commit(NamedTuple):
    """One committed transaction of a group: the next offset to read, by partition."""

    group: str
    member: str
    offsets: dict[TopicPartition, int]


class FailingBus(MemoryBus):
    """The log in memory with an injector at its points. `commits` is what every group has committed, in order."""

    def __init__(self, injector: Injector, limits: Mapping[str, int] | None = None) -> None:
        super().__init__(limits=limits)
        self.injector = injector
        self.commits: list[Commit] = []
        self.readers = _Reader
        self.transactions = _Transaction
        self._moved: set[str] = set()

    def transaction(self, group: str, transactional_id: str, client_id: str) -> MemoryTransaction:
        """In the slot of a replica, once the group has moved to one."""
        slot = f"{transactional_id}.replica" if group in self._moved else transactional_id
        return super().transaction(group, slot, client_id)

    def move(self, group: str, instance: str) -> bool:
        """The session of the group's member has expired, and its next one has a slot of its own. False: it has one."""
        if group in self._moved:
            return False
        self.expel(group, f"{group}.{instance}")
        self._moved.add(group)
        return True


class _Reader(MemoryReader):
    _bus: FailingBus
    _late = 0

    def poll(self, max_records: int, timeout: float) -> list[Record]:
        """What comes by another way than the group's records may come after them; it is there when asked again."""
        injector = self._bus.injector
        self._late = self._late + 1 if self._late < LATEST and injector.late() else 0
        return [] if self._late or injector.paused() else super().poll(injector.cut(max_records), timeout)

    def read(self, topic: str, partition: int, start: int, stop: int, timeout: float = 30.0) -> Any:
        self._bus.injector.ground(f"reading {topic}[{partition}]")
        return super().read(topic, partition, start, stop, timeout)

    def end_offsets(self, topic: str) -> dict[int, int]:
        self._bus.injector.ground(f"the end of {topic}")
        return super().end_offsets(topic)


class _Transaction(MemoryTransaction):
    _bus: FailingBus

    @property
    def service(self) -> str:
        return self._group_name.rsplit(".", 1)[-1]

    def poll(self, max_records: int, timeout: float) -> list[Record]:
        injector, paused = self._bus.injector, self._cursor._paused
        if injector.paused():
            return []
        numbers = tuple(injector.held_back(self.service))
        held = {at for at in self._cursor._positions if at[1] in numbers} - paused if numbers else set()
        paused |= held
        try:
            records = super().poll(injector.cut(max_records), timeout)
        finally:
            paused -= held
        injector.point("polled", self.service)
        if records and injector.expelled(self.service):
            self._bus.expel(self._group_name, self._slot)
        return records

    def commit(self, records: Sequence[NewRecord], offsets: Mapping[TopicPartition, int]) -> None:
        injector = self._bus.injector
        injector.point("committing", self.service)
        injector.ground("committing")
        super().commit(records, offsets)
        self._bus.commits.append(Commit(self._group_name, self._member, dict(offsets)))
        injector.point("committed", self.service)

    def committed(self, partitions: Sequence[TopicPartition]) -> dict[TopicPartition, int | None]:
        """After a broker's death the offsets of an aborted transaction may be shown; not before there were any."""
        self._bus.injector.ground("what is committed")
        known = super().committed(partitions)
        fault = self._bus.injector.active("offsets-astray", self.service)
        ahead = 0 if fault is None else 1 + round(20 * fault.amount)
        return {at: None if offset is None else offset + ahead for at, offset in known.items()}


class FailingStore(MemoryStore):
    """A snapshot store: `first` stands for Redis, the other for the disk beside it."""

    def __init__(self, injector: Injector, *, first: bool) -> None:
        super().__init__()
        self._injector = injector
        self._first = first

    def save(self, name: str, data: bytes) -> None:
        self._injector.point("saving", name.split("/")[1])
        fault = self._injector.active("redis-away" if self._first else "disk-full")
        if self._first and fault is None and self._injector.active("disk-full") is not None:
            raise OSError(28, "the first store is away too, so that the full disk shows")
        if fault is None:
            super().save(name, data)
        elif self._first or fault.amount <= NO_SPACE:
            raise OSError(28, "no space left on device")
        else:
            super().save(name, data[: len(data) // 2] if fault.amount <= HALF else _one_bit_else(data))

    def load(self, name: str) -> bytes | None:
        fault = self._injector.active("redis-away") if self._first else None
        if fault is not None and fault.amount > 0.5:
            self.saved.clear()
        elif fault is not None:
            raise ConnectionError("the store does not answer")
        return super().load(name)


class FailingArtifacts(FileStore):
    """Where the predictors find artefacts."""

    def __init__(self, folder: Path, injector: Injector) -> None:
        super().__init__(folder)
        self._injector = injector

    def get(self, artifact: Artifact) -> bytes:
        if self._injector.active("model-store-away") is not None:
            raise Transient(f"artefact {artifact.sha256[:12]}: the model store does not answer")
        return super().get(artifact)


def _one_bit_else(data: bytes) -> bytes:
    """Where a snapshot holds the service's state, mostly: it can be read, and says something else."""
    at = len(data) * 2 // 3
    return data[:at] + bytes([data[at] ^ 1]) + data[at + 1 :]


def job_seconds(injector: Injector) -> Callable[[Job], float]:
    """How long a job takes: as long as it always does, or very much longer while jobs are slow."""

    def seconds(job: Job) -> float:
        usual = JOB_SECONDS if job.name == "train" else 0.5
        fault = injector.active("slow-job")
        return usual if fault is None else usual + SLOWEST * fault.amount**4

    return seconds


def failing_jobs(jobs: Mapping[str, Jobs], injector: Injector) -> dict[str, Jobs]:
    """The jobs, each of which fails while it should. There is an MLflow: what is to be registered there is."""
    there = {
        service: {**table, **({"register": _registered} if "register" in table else {})}
        for service, table in jobs.items()
    }
    return {service: {name: _failing(job, injector) for name, job in table.items()} for service, table in there.items()}


def _registered(*_: object) -> dict[str, Any]:
    return {}


def _failing(job: JobFunction, injector: Injector) -> JobFunction:
    def run(arguments: dict[str, Any], context: JobContext) -> dict[str, Any]:
        if injector.active("failing-job") is not None:
            raise RuntimeError("the worker was killed")
        if injector.active("model-store-away") is not None:
            raise Transient("the artefact cannot be written: the model store does not answer")
        return job(arguments, context)

    return run


def names(faults: Iterable[object]) -> list[str]:
    """The faults' names, each once, in order."""
    return list(dict.fromkeys(str(getattr(fault, "name", fault)) for fault in faults))
