"""A task made again from the log alone: what it says and knows must be what the one that lived said and knew.

On the way it is started anew again and again from a snapshot of itself, so that every run shows
whether a snapshot holds all that decides what a task does next.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime
from itertools import chain, islice
from random import Random
from typing import NamedTuple

from homeostat.simulation.memory import forgotten
from shared.bus.base import LogReader, NewRecord, Record
from shared.messages import StepTaken
from shared.runtime import journal
from shared.runtime.host import Make, Slice, TaskHost
from shared.runtime.task import Task
from shared.runtime.tasks import snapshot_of
from shared.settings import CommonSettings
from shared.state import pack, unpack
from shared.topics import Out

STEPS_BETWEEN = (1, 30)
"""Fewest and most steps from one start of the witness to the next."""
MOST_LOST = 3
"""What is told of one start."""

Said = tuple[str, bytes | None, bytes, tuple[tuple[str, bytes], ...]]
"""A record without its place: topic, key, value, headers."""


class Testimony(NamedTuple):
    """What the witness said, and how what it knows differs from what the task that lived knows ("" if it does not)."""

    said: list[Said]
    difference: str


def testimony(living: TaskHost, make: Make, reader: LogReader, settings: CommonSettings) -> Testimony:
    """The task replayed from the first entry of its journal, and held against the one that lives."""
    host = _Witness(living.task, make, settings)
    journal.replay(host, 0, reader, settings.full_name, lambda: None)
    return Testimony(
        host.said, "; ".join([*host.lost, *_differences(_known(living), _known(host), "live, from the log")])
    )


def said_in(records: Mapping[str, Sequence[Record]]) -> Counter[Said]:
    """What services said, on all topics: client records and those of the runtime itself have no headers."""
    return Counter(
        (one.topic, one.key, one.value, one.headers) for found in records.values() for one in found if one.headers
    )


class _Witness(TaskHost):
    def __init__(self, task: Task, make: Make, settings: CommonSettings) -> None:
        super().__init__(task, make, settings.full_name)
        self.said: list[Said] = []
        self.lost: list[str] = []
        """What it did not know any more after a start."""
        self._rng = Random(f"witness/{task.name}")
        self._next = self._rng.randint(*STEPS_BETWEEN)

    def replay(self, step: StepTaken, slices: Sequence[Slice]) -> list[Out]:
        if step.step >= self._next:
            self._start_anew()
        outs = super().replay(step, slices)
        self.said += map(_said, self._outgoing.records_of(outs, self.step, self.now))
        return outs

    def _start_anew(self) -> None:
        before, knew, snapshot = self.service, _known(self, whole=False), unpack(pack(snapshot_of(self, 0)))
        self.service = self._make(self.task)
        self.now, self.positions, self.ended_jobs = datetime.min.replace(tzinfo=UTC), {}, {}
        if not journal.begin_from(self, snapshot):
            raise ValueError(f"{self.task.name} does not take over its own snapshot of step {self.step}")
        lost = chain(
            forgotten(before, self.service), _differences(knew, _known(self, whole=False), "before a start, after it")
        )
        self.lost += [f"step {self.step}: {one}" for one in islice(lost, MOST_LOST)]
        self._next = self.step + self._rng.randint(*STEPS_BETWEEN)


def _said(record: NewRecord) -> Said:
    return record.topic, record.key, record.value, tuple(record.headers)


def _known(host: TaskHost, *, whole: bool = True) -> dict[str, bytes]:
    """All that a task knows, by part; if not `whole`, without its state."""
    begun = sorted((at, offset) for at, offset in host.positions.items() if offset)
    return {
        **({"state": host.service.save()} if whole else {}),
        "step": f"{host.step} at {host.now}".encode(),
        "jobs": repr(host.pending_jobs()).encode(),
        "ended jobs": " ".join(host.ended_jobs).encode(),
        "positions": repr(begun).encode(),
    }


def _differences(one: Mapping[str, bytes], other: Mapping[str, bytes], which: str) -> Iterator[str]:
    for part, here in one.items():
        there = other[part]
        if here != there:
            yield f"{len(here)} and {len(there)} bytes of {part} ({which}); {_first(here, there)}"


def _first(here: bytes, there: bytes) -> str:
    at = next((i for i, (a, b) in enumerate(zip(here, there, strict=False)) if a != b), min(len(here), len(there)))
    return f"first at {at}: {here[max(0, at - 60) : at + 60]!r} and {there[max(0, at - 60) : at + 60]!r}"
