"""State: what it is made of, and how large it may be."""

from __future__ import annotations

from collections.abc import Iterator

from homeostat.simulation.run import Run

LARGEST_STATE = 2_000_000
"""Bytes of one task's saved state after a run of some hundred rows."""


def replayed(run: Run) -> Iterator[str]:
    for task, difference in run.differences.items():
        yield f"{task}: {difference}"


def bounded(run: Run) -> Iterator[str]:
    for task, size in run.sizes.items():
        if size > LARGEST_STATE:
            yield f"the state of {task} has {size} bytes, at most {LARGEST_STATE} are allowed"
