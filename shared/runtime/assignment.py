"""Which partitions a service has, and which of its tasks may therefore run."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

from shared.runtime.task import Task, grouped_topics
from shared.topics import PARTITIONED

TopicPartition = tuple[str, int]


class Assignment:
    """Keeps what the group has given. Topics are full names here, as on the bus.

    A task may run once all its partitions are here: one per topic for a task of a partitioned
    service, every partition of every topic for the single task of the others.
    """

    def __init__(self, service: str, full_name: Callable[[str], str], partitions: Mapping[str, int]) -> None:
        self._service = service
        self._divided = service in PARTITIONED
        self._partitions = {full_name(topic.name): partitions[topic.name] for topic in grouped_topics(service)}
        self.owned: set[TopicPartition] = set()
        self._tasks: tuple[Task, ...] = ()

    @property
    def topics(self) -> tuple[str, ...]:
        return tuple(self._partitions)

    def task_of(self, partition: int) -> Task:
        return Task(self._service, partition if self._divided else None)

    def partitions_of(self, task: Task) -> list[TopicPartition]:
        """What the task needs, in order."""
        if task.partition is not None:
            return [(topic, task.partition) for topic in self._partitions]
        return [(topic, partition) for topic, count in self._partitions.items() for partition in range(count)]

    def tasks(self) -> tuple[Task, ...]:
        """The tasks that may run, in order."""
        return self._tasks

    def _complete(self) -> tuple[Task, ...]:
        found = dict.fromkeys(self.task_of(partition) for _, partition in sorted(self.owned, key=lambda at: at[1]))
        return tuple(task for task in found if self.owned.issuperset(self.partitions_of(task)))

    def assigned(self, partitions: Sequence[TopicPartition]) -> None:
        self.owned.update(partitions)
        self._tasks = self._complete()

    def revoked(self, partitions: Sequence[TopicPartition]) -> list[Task]:
        """The tasks that can no longer run."""
        self.owned.difference_update(partitions)
        self._tasks = self._complete()
        return list(dict.fromkeys(self.task_of(partition) for _, partition in partitions))
