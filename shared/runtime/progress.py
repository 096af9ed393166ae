"""Notices a partition that has records to give and gives none, as a client's bug can make it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

TopicPartition = tuple[str, int]


@dataclass(slots=True)
class Progress:
    """Told positions and ends now and then, it names the partitions that stand still although their end has moved.

    What it names is a suspicion: an end also moves by transaction markers. Read there to be sure.
    """

    deadline_seconds: float
    _seen: dict[TopicPartition, tuple[int, int, float]] = field(default_factory=dict)

    def standing(
        self, now: float, positions: Mapping[TopicPartition, int], ends: Mapping[TopicPartition, int]
    ) -> list[TopicPartition]:
        """`now` in seconds of any clock that only goes forward.

        >>> progress = Progress(60.0)
        >>> [progress.standing(now, {("t", 0): 5}, {("t", 0): end}) for now, end in ((0, 5), (30, 9), (100, 9))]
        [[], [], [('t', 0)]]
        """
        found = []
        for at, position in positions.items():
            known = self._seen.get(at)
            if known is None or known[0] != position:
                self._seen[at] = (position, ends.get(at, position), now)
            elif ends.get(at, position) > known[1] and now - known[2] > self.deadline_seconds:
                found.append(at)
        self._seen = {at: seen for at, seen in self._seen.items() if at in positions}
        return found

    def excuse(self, at: TopicPartition, end: int, now: float) -> None:
        """There was nothing to read before `end` after all."""
        self._seen[at] = (self._seen[at][0], end, now)
