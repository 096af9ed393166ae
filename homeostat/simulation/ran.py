"""What a run leaves behind, for the invariants to read."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, NamedTuple, TypeVar

import msgspec

from homeostat.simulation.faults import Plan
from homeostat.simulation.ground import Commit
from homeostat.simulation.witness import Said
from homeostat.simulation.world import World
from shared import codec
from shared.bus.base import Record
from shared.errors import Poison
from shared.service import Job
from shared.topics import Topic

M = TypeVar("M", bound=msgspec.Struct)


class Restart(NamedTuple):
    """A service that was killed takes its first turn when the journal has so many `entries` and the topics of rules
    end there.
    """

    service: str
    entries: int
    rules: dict[str, int]


class Begun(NamedTuple):
    """A job begins when the journal has so many `entries`, and `job-results` so many `ends`."""

    job: Job
    entries: int
    ends: int


@dataclass(frozen=True)
class Run:
    """What a run left behind: every record of every topic in the order written, and every commit."""

    world: World
    plan: Plan
    records: Mapping[str, tuple[Record, ...]]
    commits: tuple[Commit, ...]
    settled: Mapping[tuple[str, int], int]
    """After the last record of each partition, when everything had come to rest."""
    settled_ms: int
    """When that was, in milliseconds since 1970 of virtual time."""
    ends: Mapping[tuple[str, int], int]
    sizes: Mapping[str, int]
    """Bytes of each task's state at the end."""
    struck: tuple[str, ...]
    lost_jobs: tuple[str, ...] = ()
    """What tasks wait for at the end though nobody does it."""
    restarts: tuple[Restart, ...] = ()
    undead: tuple[str, ...] = ()
    """Services of which a process went on though another had its place."""
    begun: tuple[Begun, ...] = ()
    """Every job each time it was begun."""
    ended_jobs: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    """The jobs that each task knows to have ended."""
    artifacts: Mapping[str, bytes] = field(default_factory=dict)
    """What the model store holds, by hash."""
    differences: Mapping[str, str] = field(default_factory=dict)
    """Tasks that do not know what the log alone makes them know, and how that differs."""
    said: tuple[Said, ...] | None = None
    """What the log alone makes services say; None where none was replayed."""
    without: Run | None = None
    """The same world without faults."""

    def of(self, topic: Topic[M]) -> list[tuple[Record, M]]:
        """Each record of the topic with its message; bytes that are no message are left out."""
        if topic.name not in self._decoded:
            self._decoded[topic.name] = _decoded(topic, self.records[topic.name])
        found: list[tuple[Record, M]] = self._decoded[topic.name]
        return found

    def messages(self, topic: Topic[M]) -> list[M]:
        return [message for _, message in self.of(topic)]

    def given(self, topic: Topic[M]) -> list[M]:
        """The messages that services wrote, without what was written there once more."""
        return [message for record, message in self.of(topic) if record.headers]

    @cached_property
    def _decoded(self) -> dict[str, Any]:
        return {}


def _decoded(topic: Topic[M], records: tuple[Record, ...]) -> list[tuple[Record, M]]:
    found = []
    for record in records:
        try:
            found.append((record, codec.decode(topic, record.value)))
        except Poison:
            continue
    return found
