"""State: what it is made of, how large it may be, and that it is all that decides what a service says."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator

from homeostat.simulation.ran import Run
from homeostat.simulation.witness import Said, said_in
from shared import codec
from shared.topics import DEAD_LETTERS, STEPS

LARGEST_STATE = 2_000_000
"""Bytes of one task's saved state after a run of some hundred rows."""


def replayed(run: Run) -> Iterator[str]:
    for task, difference in run.differences.items():
        yield f"{task}: {difference}"


def retold(run: Run) -> Iterator[str]:
    if run.said is None:
        return
    said, again = said_in(run.records), Counter(run.said)
    for one in said - again:
        if not _refused_whole(run, one):
            yield f"{one[0]} has, and the log alone makes nobody say: {one[2][:200]!r}"
    for one in again - said:
        yield f"{one[0]} lacks what the log alone makes a service say: {one[2][:200]!r}"


def _refused_whole(run: Run, one: Said) -> bool:
    """Whether it is the dead letter of a record that a handler would not take: the journal tells of it, no replay."""
    if one[0] != DEAD_LETTERS.name:
        return False
    letter = codec.decode(DEAD_LETTERS, one[2])
    place = (letter.topic, letter.partition, letter.offset + 1, letter.offset + 1)
    return any(place in step.inputs for step in run.messages(STEPS))


def bounded(run: Run) -> Iterator[str]:
    for task, size in run.sizes.items():
        if size > LARGEST_STATE:
            yield f"the state of {task} has {size} bytes, at most {LARGEST_STATE} are allowed"
