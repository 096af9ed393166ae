"""The ledger's entries: the newest in memory, a sparse index to the rest of the log."""

from __future__ import annotations

from bisect import bisect_right
from collections import deque
from collections.abc import Sequence
from typing import Any

from services.gateway.readmodel.entry import Entry, plain
from shared.messages import AuditEntry

ENTRIES_KEPT = 10_000
INDEX_EVERY = 500


class LedgerBook:
    """`audit` as it came. `offset_before` says where in the log an older page begins."""

    def __init__(self, kept: int = ENTRIES_KEPT, index_every: int = INDEX_EVERY) -> None:
        self._entries: deque[Entry[AuditEntry]] = deque(maxlen=kept)
        self._every = index_every
        self._sequences: list[int] = []
        self._offsets: list[int] = []

    def on_audit(self, entries: Sequence[Entry[AuditEntry]]) -> None:
        for entry in entries:
            self._entries.append(entry)
            if not self._sequences or entry.message.sequence >= self._sequences[-1] + self._every:
                self._sequences.append(entry.message.sequence)
                self._offsets.append(entry.offset)

    def holds(self, sequence: int) -> bool:
        """Whether every entry from `sequence` on is in memory."""
        return not self._entries or self._entries[0].message.sequence <= max(sequence, self._sequences[0])

    def page(self, after: int, limit: int) -> list[dict[str, Any]]:
        """Entries with a sequence above `after`, oldest first; only where `holds(after + 1)`."""
        found = [entry for entry in self._entries if entry.message.sequence > after]
        return [shown(entry) for entry in found[:limit]]

    def range_of(self, after: int, limit: int) -> tuple[int, int]:
        """Offsets of `audit` that contain the page, for reading it from the log."""
        begin = bisect_right(self._sequences, after + 1) - 1
        end = bisect_right(self._sequences, after + limit + 1)
        start = self._offsets[max(begin, 0)]
        stop = self._offsets[end] if end < len(self._offsets) else self._entries[-1].offset + 1
        return start, stop

    def newest(self, limit: int) -> list[dict[str, Any]]:
        return [shown(entry) for entry in list(self._entries)[-limit:]]


def shown(entry: Entry[AuditEntry]) -> dict[str, Any]:
    """The entry exactly as hashed, with its place in the log."""
    return plain(entry.message) | entry.place
