"""Slow work: what a service waits for is being done, and a first model comes without an order."""

from __future__ import annotations

from collections.abc import Iterator

from homeostat.simulation.run import Run
from shared.topics import FEATURES, JOB_RESULTS, LABELS, MODEL_PUBLISHED

JOBS_REMEMBERED = 1000


def done(run: Run) -> Iterator[str]:
    for lost in run.lost_jobs:
        yield f"{lost}, and nobody runs it"
    rows, wanted = _rows(run), 2 * run.world.specification.models.min_rows
    slow = any(fault.name == "slow-job" for fault in run.plan.faults)
    there = run.messages(MODEL_PUBLISHED) or any(end.name == "train" for end in run.messages(JOB_RESULTS))
    if rows >= wanted and not slow and not there:
        yield f"{rows} rows could be learned from, no version is there, and no training has ended"


def once(run: Run) -> Iterator[str]:
    """Also where an end is told twice, and where the service was killed since."""
    ends = run.messages(JOB_RESULTS)
    for one in run.begun:
        if any(end.job == one.job.id for end in ends[: one.ends]):
            yield f"{one.job.name} {one.job.id} was begun again after it had ended"
    for task, known in run.ended_jobs.items():
        ended = {end.job for end in ends if end.task == task}
        for job in sorted(ended - set(known))[: max(0, JOBS_REMEMBERED - len(known))]:
            yield f"{task} does not know that {job} has ended: a second end would be taken for the first"


def _rows(run: Run) -> int:
    """Rows that a first model could learn from."""
    rows = {one.id for one in run.messages(FEATURES) if not one.withheld}
    if run.world.specification.kind == "anomaly":
        return len(rows)
    return len(rows & {one.id for one in run.messages(LABELS)})
