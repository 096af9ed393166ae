"""Slow work: what a service waits for is being done, and a first model comes without an order."""

from __future__ import annotations

from collections.abc import Iterator

from homeostat.simulation.run import Run
from shared.topics import FEATURES, JOB_RESULTS, LABELS


def done(run: Run) -> Iterator[str]:
    for lost in run.lost_jobs:
        yield f"{lost}, and nobody runs it"
    rows, wanted = _rows(run), 2 * run.world.specification.models.min_rows
    slow = any(fault.name == "slow-job" for fault in run.plan.faults)
    if rows >= wanted and not slow and not any(end.name == "train" for end in run.messages(JOB_RESULTS)):
        yield f"{rows} rows could be learned from, and no training has ended"


def _rows(run: Run) -> int:
    """Rows that a first model could learn from."""
    rows = {one.id for one in run.messages(FEATURES) if not one.withheld}
    if run.world.specification.kind == "anomaly":
        return len(rows)
    return len(rows & {one.id for one in run.messages(LABELS)})
