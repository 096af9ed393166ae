"""The runtime's own messages: the journal of steps and the results of jobs.

A service's state is a function of the steps it took. The journal says which ones: batch by batch,
with the time each was given. Snapshots only make the replay shorter.
"""

from __future__ import annotations

from datetime import datetime

import msgspec


class StepTaken(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One committed transaction of one task, in the same transaction as its outputs.

    `task` is ``service/partition`` (or ``service`` where it is not partitioned). `inputs` lists
    (topic, partition, from, until) in the order handled; `tick` says that on_tick ran last.
    """

    task: str
    step: int
    now: datetime
    inputs: tuple[tuple[str, int, int, int], ...] = ()
    tick: bool = False


class JobFinished(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """The end of a job, as a record: the one way by which slow work comes back to its service.

    `result` is the job's answer (a JSON object); `error` says why there is none.
    """

    task: str
    service: str
    job: str
    name: str
    at: datetime
    seconds: float
    result: dict[str, object] | None = None
    error: str | None = None
