"""Slow work: what a service waits for is being done, and a first model comes without an order."""

from __future__ import annotations

from collections.abc import Iterator

from homeostat.simulation.invariants.orders import disturbed
from homeostat.simulation.ran import Run
from services.trainer.settings import TrainerSettings
from shared.service import Job
from shared.topics import FEATURES, JOB_RESULTS, LABELS, MODEL_PUBLISHED, STEPS

JOBS_REMEMBERED = 1000
PAUSE = TrainerSettings().first_retry_pause.total_seconds()


def done(run: Run) -> Iterator[str]:
    for lost in run.lost_jobs:
        yield f"{lost}, and nobody runs it"
    rows, wanted = _rows(run), 2 * run.world.specification.models.min_rows
    slow = any(fault.name == "slow-job" for fault in run.plan.faults)
    there = run.messages(MODEL_PUBLISHED) or any(end.name == "train" for end in run.messages(JOB_RESULTS))
    if rows >= wanted and not slow and not there:
        yield f"{rows} rows could be learned from, no version is there, and no training has ended"


def tried_again(run: Run) -> Iterator[str]:
    """A first model whose job broke: after a pause, and not never; by the log's clock."""
    if disturbed(run) or any(fault.name == "slow-job" for fault in run.plan.faults):
        return
    broke: float | None = None
    clock = [record.timestamp_ms for record in run.records[STEPS.name]]
    begun = {one.job.id: clock[one.entries - 1] / 1000 for one in reversed(run.begun) if _first(one.job)}
    for record, end in run.of(JOB_RESULTS):
        if end.job in begun:
            if broke is not None and begun[end.job] - broke < PAUSE - 1.0:
                yield f"a first training broke at {broke:g} s, and was begun again {begun[end.job] - broke:g} s later"
            broke = record.timestamp_ms / 1000 if end.error else None
    since = 0.0 if broke is None or run.messages(MODEL_PUBLISHED) else run.settled_ms / 1000 - broke
    if broke is not None and since > 2 * PAUSE and not any(at > broke for at in begun.values()):
        yield f"a first training broke {since:g} s before the end, and is not tried again"


def _first(job: Job) -> bool:
    return job.name == "train" and not job.arguments.get("champion") and not job.arguments.get("reason")


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
