"""Which labelled rows make up a performance window, and which published windows must be revised.

Windows follow each other over the rows without a gap. The open one closes once `size` of its rows
have their label, at the last of these; labels that come later, or are corrected, make its window
dirty, to be published again with a higher revision.
"""

from __future__ import annotations

import msgspec
import numpy as np

from services.monitor.core.state import Ints, no_rows


class Span(msgspec.Struct):
    """A closed window: rows `first` to `last`, inclusive, and how often it was published."""

    index: int
    first: int
    last: int
    revision: int = 0


class Windows(msgspec.Struct):
    """The windows of one pipeline; the newest `keep` closed ones can still be revised."""

    size: int
    keep: int = 400
    starts: int = 0
    following: int = 0
    open_rows: Ints = msgspec.field(default_factory=no_rows)
    closed: list[Span] = []
    dirty: list[int] = []

    def add(self, first: Ints, corrected: Ints) -> list[Span]:
        """Takes rows labelled for the first time and rows relabelled; returns windows that closed."""
        late = first < self.starts
        if late.any() or len(corrected):
            touched = np.concatenate([first[late], corrected])
            self._mark(touched[touched < self.starts])
            first = first[~late]
        if len(first):
            self.open_rows = np.sort(np.concatenate([self.open_rows, first]))
        closing = []
        while len(self.open_rows) >= self.size:
            span = Span(self.following, self.starts, int(self.open_rows[self.size - 1]))
            self.open_rows = self.open_rows[self.size :]
            self.starts, self.following = span.last + 1, self.following + 1
            closing.append(span)
        if closing:
            self.closed = (self.closed + closing)[-self.keep :]
        return closing

    def revised(self, oldest: int) -> list[Span]:
        """The dirty windows that still lie whole in memory, each with its next revision; clears the list."""
        dirty = set(self.dirty)
        spans = [span for span in self.closed if span.index in dirty and span.first >= oldest] if dirty else []
        for span in spans:
            span.revision += 1
        self.dirty = []
        return spans

    def _mark(self, rows: Ints) -> None:
        if not len(rows) or not self.closed:
            return
        lasts = np.array([span.last for span in self.closed])
        places = np.unique(np.searchsorted(lasts, rows[rows >= self.closed[0].first]))
        indices = {self.closed[place].index for place in places}
        self.dirty = sorted(indices.union(self.dirty))
