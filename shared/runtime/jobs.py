"""Slow work: what a job function is given, and what runs it."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Protocol

import msgspec

from shared.bus.base import MAX_RECORD_BYTES, Bus, LogReader
from shared.clock import monotonic
from shared.messages import JobFinished
from shared.runtime.task import Task
from shared.service import Job
from shared.settings import CommonSettings


@dataclass(frozen=True, slots=True)
class JobContext:
    """What a job may use. `now` is when the job was started; `clock` counts the seconds it takes.

    Jobs take the time from here alone: where `clock` stands still, as in the simulation, a search ends
    by its trials and not by its seconds.
    """

    settings: CommonSettings
    bus: Bus
    now: datetime
    clock: Callable[[], float] = monotonic

    def reader(self) -> LogReader:
        """Reads committed records of any topic (full names). Whoever asks for it closes it."""
        return self.bus.reader("job")


LARGEST_RESULT = MAX_RECORD_BYTES - 50_000
"""Bytes of JSON: what is larger belongs into a file, with its address as the result."""

LONGEST_ERROR = 10_000

JobFunction = Callable[[dict[str, Any], JobContext], dict[str, Any]]
Jobs = Mapping[str, JobFunction]


class JobRunner(Protocol):
    """Runs jobs beside the steps. One job id runs once at a time, however often it is started."""

    def start(self, task: Task, job: Job, now: datetime) -> None: ...

    def finished(self, now: datetime) -> list[JobFinished]:
        """Jobs that have ended. They are told again until they are forgotten."""
        ...

    def forget(self, ended: Iterable[JobFinished]) -> None:
        """Their ends are in the log now."""
        ...

    def cancel(self, task: Task) -> None:
        """The task has gone elsewhere: its jobs are stopped, their ends dropped."""
        ...

    def stop(self) -> None: ...


def end_of(
    task: str, service: str, job: Job, at: datetime, seconds: float, result: object = None, error: str | None = None
) -> JobFinished:
    """How `job` ended, as a record. A result that no record can carry is an error of the job."""
    if error is None and (fault := _fault_of(result)) is not None:
        error, result = f"job {job.name} returned {fault}", None
    return JobFinished(
        task=task,
        service=service,
        job=job.id,
        name=job.name,
        at=at,
        seconds=seconds,
        result=result if isinstance(result, dict) else None,
        error=None if error is None else error[:LONGEST_ERROR],
    )


def _fault_of(result: object) -> str | None:
    if not isinstance(result, dict):
        return f"{type(result).__name__}, not a JSON object"
    try:
        size = len(msgspec.json.encode(result))
    except (TypeError, ValueError) as unfit:
        return f"what is not JSON: {unfit}"
    return f"{size} bytes; at most {LARGEST_RESULT} fit" if size > LARGEST_RESULT else None
