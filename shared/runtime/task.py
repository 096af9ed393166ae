"""A task: one instance of a service, with its own state and its own share of the partitions."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from shared.topics import JOB_RESULTS, PARTITIONED, Topic, topics_read_by


@dataclass(frozen=True, slots=True)
class Task:
    """`partition` is None where the service is one task in all."""

    service: str
    partition: int | None

    @property
    def name(self) -> str:
        """The task's name in the journal, and its key there.

        >>> Task("ingest", 2).name, Task("monitor", None).name
        ('ingest/2', 'monitor')
        """
        return self.service if self.partition is None else f"{self.service}/{self.partition}"


def grouped_topics(service: str) -> tuple[Topic[Any], ...]:
    """The topics whose partitions are divided among the service's instances by its consumer group."""
    if service in PARTITIONED:
        return tuple(topic for topic in topics_read_by(service) if topic.spread)
    return (*topics_read_by(service), JOB_RESULTS)


def followed_topics(service: str) -> tuple[Topic[Any], ...]:
    """The topics that every task of the service reads whole, outside the group."""
    if service not in PARTITIONED:
        return ()
    return (*(topic for topic in topics_read_by(service) if not topic.spread), JOB_RESULTS)
