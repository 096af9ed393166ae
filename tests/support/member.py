"""What a member of a group owns, as the bus tells it."""

from __future__ import annotations

from collections.abc import Sequence


class Share:
    """Remembers what was assigned and not revoked since."""

    def __init__(self) -> None:
        self.owned: set[tuple[str, int]] = set()

    def assigned(self, partitions: Sequence[tuple[str, int]]) -> None:
        self.owned.update(partitions)

    def revoked(self, partitions: Sequence[tuple[str, int]]) -> None:
        self.owned.difference_update(partitions)
