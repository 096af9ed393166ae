"""The ledger's entries: the newest in memory, a sparse index to the rest of the log."""

from __future__ import annotations

from bisect import bisect_right
from collections import deque
from collections.abc import Sequence
from operator import itemgetter
from typing import Any

from services.gateway.readmodel.entry import Entry, Packed, plain
from shared.messages import AuditEntry
from shared.topics import AUDIT

ENTRIES_KEPT = 500
INDEX_EVERY = 500
INDEX_KEPT = 4000


class LedgerBook:
    """`audit` as it came. `offset_before` says where in the log an older page begins."""

    def __init__(self, kept: int = ENTRIES_KEPT, index_every: int = INDEX_EVERY, index_kept: int = INDEX_KEPT) -> None:
        self._entries: deque[tuple[int, Packed[AuditEntry]]] = deque(maxlen=kept)
        self._every = index_every
        self._index_kept = index_kept
        self.index: list[tuple[int, int]] = []
        """Sequence and offset of every so many entries; of every twice as many once it is `index_kept` long."""

    def on_audit(self, entries: Sequence[Entry[AuditEntry]]) -> None:
        for entry in entries:
            sequence = entry.message.sequence
            self._entries.append((sequence, Packed.of(entry)))
            if not self.index or sequence >= self.index[-1][0] + self._every:
                self.index.append((sequence, entry.offset))
                if len(self.index) > self._index_kept:
                    self.index, self._every = self.index[::2], 2 * self._every

    def take_over(self, index: Sequence[tuple[int, int]]) -> None:
        """The index of a ledger whose entries come next."""
        self.index = list(index)
        if len(self.index) > 1:
            self._every = max(self._every, self.index[1][0] - self.index[0][0])

    def held(self) -> list[Entry[AuditEntry]]:
        """The entries in memory."""
        return [packed.entry(AUDIT) for _, packed in self._entries]

    def holds(self, sequence: int) -> bool:
        """Whether every entry from `sequence` on is in memory."""
        return not self._entries or self._entries[0][0] <= max(sequence, self.index[0][0])

    def page(self, after: int, limit: int) -> list[dict[str, Any]]:
        """Entries with a sequence above `after`, oldest first; only where `holds(after + 1)`."""
        found = [packed for sequence, packed in self._entries if sequence > after]
        return [shown(packed.entry(AUDIT)) for packed in found[:limit]]

    def range_of(self, after: int, limit: int) -> tuple[int, int]:
        """Offsets of `audit` that contain the page, for reading it from the log."""
        begin = bisect_right(self.index, after + 1, key=itemgetter(0)) - 1
        end = bisect_right(self.index, after + limit + 1, key=itemgetter(0))
        start = self.index[max(begin, 0)][1]
        stop = self.index[end][1] if end < len(self.index) else self._entries[-1][1].offset + 1
        return start, stop


def shown(entry: Entry[AuditEntry]) -> dict[str, Any]:
    """The entry exactly as hashed, with its place in the log."""
    return plain(entry.message) | entry.place
