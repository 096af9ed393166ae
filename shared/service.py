"""The service protocol: a service is a deterministic step over messages and a clock.

A service is handed batches and the time; it returns what to publish and which slow jobs to run. It
does no I/O, reads no clock, draws no random number and starts no thread. Its state can be saved and
restored. The same steps give the same bytes in every runtime: that is what makes exactly-once, the
backtest and the seeded fault runs possible with one implementation.

For each topic that `shared/topics.py` says it reads, a service has a method named after the topic:
``on_features(batch: Batch[Features], now: datetime) -> Step``. A batch comes from one partition, in
log order. `raw-data` with 4 partitions and a partitioned service gives 4 independent instances.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Generic, Protocol, TypeVar

import msgspec

from shared.topics import Out

M = TypeVar("M", bound=msgspec.Struct)


@dataclass(frozen=True, slots=True)
class Batch(Generic[M]):
    """Messages of one partition of one topic, in log order. All lists have the same length.

    `offsets[i]` is where `messages[i]` stands in the log; offsets rise but need not be dense (dead
    letters and transaction markers leave gaps). `sizes` are bytes on the wire. `traces` holds each
    record's W3C traceparent, or None.
    """

    topic: str
    partition: int
    offsets: Sequence[int]
    messages: Sequence[M]
    values: Sequence[bytes] = ()
    traces: Sequence[str | None] = ()

    def __len__(self) -> int:
        return len(self.messages)


@dataclass(frozen=True, slots=True)
class Job:
    """Slow work to run outside the step, in a worker process.

    `id` names the effect: a job whose id already finished is not run again. `name` is looked up in
    the service's table of job functions (``services/<name>/jobs.py``: `JOBS`); `arguments` must be
    JSON. After a crash a job that was pending runs again, so it must bear that. `timeout_seconds`:
    past it the worker is killed and the job ends with an error. An `urgent` job is short and someone
    waits for it: it does not queue behind the others.
    """

    id: str
    name: str
    arguments: dict[str, Any]
    timeout_seconds: float = 600.0
    urgent: bool = False


@dataclass(frozen=True, slots=True)
class JobResult:
    """How a job ended: `result` (a JSON object), or `error`, a sentence for a person."""

    id: str
    name: str
    seconds: float
    result: dict[str, Any] | None = None
    error: str | None = None


@dataclass(frozen=True, slots=True)
class Step:
    """What a handler returns: messages to publish, in order, and jobs to start once they are out."""

    messages: list[Out] = field(default_factory=list)
    jobs: list[Job] = field(default_factory=list)

    def __add__(self, other: Step) -> Step:
        return Step(self.messages + other.messages, self.jobs + other.jobs)


NOTHING = Step()


class Service(Protocol):
    """What every service offers besides its ``on_<topic>`` handlers."""

    def on_tick(self, now: datetime) -> Step:
        """Called about once a second, also when no record comes: deadlines live here."""
        ...

    def on_job(self, result: JobResult, now: datetime) -> Step:
        """A job this service asked for has ended."""
        ...

    def pending_jobs(self) -> list[Job]:
        """Jobs asked for and not yet ended: the runtime starts them again after a restart."""
        ...

    def save(self) -> bytes:
        """The whole state. `restore(save())` on a new instance gives the same service."""
        ...

    def restore(self, state: bytes) -> None:
        """Takes over a state made by `save`."""
        ...
