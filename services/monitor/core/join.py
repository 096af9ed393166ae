"""Events, predictions and labels brought together by id, in whatever order and however late.

Every event gets a row number when the monitor first sees its id, in its features or its prediction.
The newest `capacity` rows are kept; older ones go first, and only that they were there is remembered.
What is known of a row lies in columns, one slot per row, so that everything after this works on arrays.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import islice, repeat
from typing import Any

import msgspec
import numpy as np
from numpy.typing import NDArray

from services.monitor.core.forgotten import Forgotten
from services.monitor.core.state import Bools, Floats, Ints, in_order, no_rows
from shared.messages import Label

_FIRST_CAPACITY = 1024
_LEAST_LATE = 100
_LATE_SHARE = 0.01
_LATELY = 10_000
_COLUMNS: dict[str, tuple[str, float]] = {
    "partition": ("i2", -1),
    "offset": ("i8", -1),
    "at": ("f8", np.nan),
    "source": ("i2", -1),
    "withheld": ("i2", 0),
    "prediction": ("f8", np.nan),
    "score": ("f8", np.nan),
    "version": ("i2", -1),
    "champion": ("i1", 0),
    "label": ("f8", np.nan),
    "label_source": ("i2", -1),
}


class Waiting(msgspec.Struct):
    """A label whose event has not come yet."""

    label: Label
    partition: int
    offset: int
    since_row: int
    since: float


class Joined(msgspec.Struct):
    """What a batch of labels did: rows labelled for the first time, rows whose label was replaced."""

    first: Ints
    corrected: Ints


class Join(msgspec.Struct):
    """The rows. `further` columns hold what else is to be known of each, as numbers (NaN: not known).

    `labelled` counts rows that had a label, those forgotten before it came among them. `in_time` and
    `too_late` count labels lately, while memory is full, by whether their row was still known. `first`
    is the oldest row that was known when memory last grew.
    """

    capacity: int
    columns: dict[str, NDArray[np.generic]] = {}
    probabilities: NDArray[np.float32] = msgspec.field(default_factory=lambda: np.empty((0, 0), np.float32))
    index: dict[str, int] = {}
    next_row: int = 0
    labelled: int = 0
    repeated: int = 0
    in_time: int = 0
    too_late: int = 0
    first: int = 0
    forgotten: Forgotten = msgspec.field(default_factory=lambda: Forgotten(0))
    waiting: dict[str, Waiting] = {}
    further: tuple[str, ...] = ()

    @property
    def oldest(self) -> int:
        """The oldest row still known."""
        return max(self.first, self.next_row - self._size)

    @property
    def _size(self) -> int:
        return len(self.columns["offset"]) if self.columns else 0

    def full(self, rows: int) -> bool:
        """Whether so many new rows would make others be forgotten."""
        return self.next_row + rows - self.oldest > self.capacity

    def rows_of(self, ids: Sequence[str]) -> Ints:
        """The rows of these events, new ones for ids never seen (or forgotten)."""
        first = self.next_row
        if len(ids) and ids[0] not in self.index:  # mostly all of them are new then, and none of them comes twice
            new = dict(zip(ids, range(first, first + len(ids)), strict=True))
            if len(new) == len(ids) and self.index.keys().isdisjoint(new):
                self.index.update(new)
                self._open(first + len(ids))
                return np.arange(first, first + len(ids))
        known = self.find(ids)
        if (known >= 0).all():
            return known
        unknown = np.flatnonzero(known < 0)
        names = ids if len(unknown) == len(ids) else [ids[place] for place in unknown.tolist()]
        fresh = dict.fromkeys(names)
        following = self.next_row + len(fresh)
        self.index.update(zip(fresh, range(self.next_row, following), strict=True))
        known[unknown] = np.arange(self.next_row, following) if len(fresh) == len(names) else self.find(names)
        self._open(following)
        return known

    def find(self, ids: Sequence[str]) -> Ints:
        """The rows of these events, -1 for ids not known."""
        get = self.index.get
        return np.fromiter(map(get, ids, repeat(-1)), np.int64, len(ids))

    def write(self, rows: Ints, **values: NDArray[np.generic] | float) -> None:
        slots = self._slots_of(rows)
        for name, value in values.items():
            self.columns[name][slots] = value

    def read(self, name: str, rows: Ints) -> Floats:
        """A column at these rows, as floats; only rows that `known` holds for."""
        return self.columns[name][self._slots_of(rows)].astype(float, copy=False)

    def cells(self, names: Sequence[str], rows: Ints) -> list[NDArray[Any]]:
        """Columns at these rows, each of its own type; only rows that `known` holds for."""
        slots = self._slots_of(rows)
        return [self.columns[name][slots] for name in names]

    def known(self, rows: Ints) -> NDArray[np.bool_]:
        return (rows >= self.oldest) & (rows < self.next_row)

    def write_probabilities(self, rows: Ints, matrix: Floats) -> None:
        """Keeps P(class) of these rows; columns grow with the number of classes."""
        missing = matrix.shape[1] - self.probabilities.shape[1]
        if missing > 0:
            filler = np.zeros((self._size, missing), np.float32)
            self.probabilities = np.hstack([self.probabilities, filler])
        slots = self._slots_of(rows)
        if missing < 0:
            self.probabilities[slots] = 0.0
        self.probabilities[slots, : matrix.shape[1]] = matrix

    def read_probabilities(self, rows: Ints) -> Floats | None:
        """P(class) of these rows, NaN rows where none were given; None where no row has any."""
        if self.probabilities.shape[1] == 0:
            return None
        out = self.probabilities[self._slots_of(rows)].astype(float)
        return None if np.isnan(out).all() else out

    def set_labels(self, rows: Ints, codes: Floats, sources: Ints) -> Joined:
        """Writes labels in order: the last one for a row wins. All rows must be known."""
        before = self.read("label", rows)
        self.write(rows, label=codes, label_source=sources)
        bare = np.isnan(before)
        first, corrected = in_order(rows[bare]), no_rows()
        if not bare.all():
            corrected = in_order(rows[~bare & (before != self.read("label", rows))])
        self.labelled += len(first)
        self._weigh(len(rows), 0)
        return Joined(first, corrected)

    def take_late(self, ids: Sequence[str]) -> list[bool]:
        """Labels for ids that are not known: which of them belong to rows that have been forgotten.

        The first label of such a row counts in `labelled`; one that a row had before it went does not again.
        """
        counted = self.forgotten.count(ids)
        late = [first is not None for first in counted]
        self.labelled += sum(first is True for first in counted)
        self._weigh(0, sum(late))
        return late

    def short(self) -> bool:
        """Whether more labels come too late than a few strays: one in a hundred lately, a hundred at least."""
        return self.too_late >= max(_LEAST_LATE, _LATE_SHARE * (self.in_time + self.too_late))

    def enlarge(self, capacity: int) -> None:
        """Keeps so many rows from now on; what is forgotten already stays so."""
        self.capacity = capacity
        self.in_time = self.too_late = 0

    def widen(self, further: tuple[str, ...]) -> None:
        """Keeps these further columns from now on; those no longer named go."""
        for name in set(self.further) - set(further):
            self.columns.pop(name, None)
        for name in set(further) - set(self.further):
            if self.columns:
                self.columns[name] = np.full(self._size, np.nan, np.float32)
        self.further = further

    def wait(self, label: Label, partition: int, offset: int, now: float) -> None:
        """Keeps a label until its event comes; the last one for an id wins."""
        self.waiting.pop(label.id, None)
        self.waiting[label.id] = Waiting(label, partition, offset, self.next_row, now)

    def arrived(self, ids: Sequence[str]) -> list[Waiting]:
        """Labels that waited for one of these events, which has come."""
        if not self.waiting:
            return []
        return [self.waiting.pop(name) for name in dict.fromkeys(ids) if name in self.waiting]

    def given_up(self, horizon: int, before: float | None = None) -> list[Waiting]:
        """Labels whose event did not come within `horizon` rows, or since the time `before`."""
        late = []
        for waiting in self.waiting.values():
            expired = before is not None and waiting.since < before
            if not expired and self.next_row - waiting.since_row <= horizon and len(self.waiting) <= self.capacity:
                break
            late.append(waiting)
            if len(self.waiting) - len(late) <= 0:
                break
        for waiting in late:
            del self.waiting[waiting.label.id]
        return late

    def positions(self, first: int, last: int) -> dict[str, int]:
        """The first features offset in these rows, by partition; partitions without a row are left out."""
        rows = np.arange(max(first, self.oldest), min(last, self.next_row - 1) + 1)
        if not len(rows):
            return {}
        offsets, partitions = self.cells(("offset", "partition"), rows)
        there = offsets >= 0
        offsets, partitions = offsets[there], partitions[there]
        if len(partitions) and (partitions == partitions[0]).all():
            return {str(int(partitions[0])): int(offsets.min())}
        return {str(int(each)): int(offsets[partitions == each].min()) for each in np.unique(partitions)}

    def times(self, first: int, last: int) -> tuple[float, float] | None:
        """The event times (seconds since 1970) that these rows span."""
        rows = np.arange(max(first, self.oldest), min(last, self.next_row - 1) + 1)
        at = self.read("at", rows) if len(rows) else np.empty(0)
        at = at[~np.isnan(at)]
        return (float(at.min()), float(at.max())) if len(at) else None

    def _open(self, following: int) -> None:
        """Makes room for rows up to `following` and empties their slots."""
        self._grow(following)
        self._forget(len(self.index) - self._size)
        for fresh in self._slots(max(self.next_row, following - self._size), following):
            for name, (_, blank) in self._layout().items():
                self.columns[name][fresh] = blank
            if self.probabilities.shape[1]:
                self.probabilities[fresh] = np.nan
        self.next_row = following

    def _forget(self, count: int) -> None:
        """The oldest rows go, before their slots are taken by others."""
        if count <= 0:
            return
        ids = list(islice(self.index, count))
        rows = np.array([self.index.pop(name) for name in ids], np.int64)
        labelled: Bools = np.zeros(count, bool)
        there = rows < self.next_row
        labelled[there] = ~np.isnan(self.read("label", rows[there]))
        self.forgotten.remember(ids, labelled)

    def _weigh(self, in_time: int, too_late: int) -> None:
        """What is late while memory still fills up is owed to the time before it grew."""
        if not self.full(1):
            return
        self.in_time, self.too_late = self.in_time + in_time, self.too_late + too_late
        if self.in_time + self.too_late > _LATELY:
            self.in_time, self.too_late = self.in_time // 2, self.too_late // 2

    def _slots_of(self, rows: Ints) -> Ints:
        """Where rows lie; sizes are mostly powers of two, whose remainder is ten times as fast to find."""
        size = self._size
        return rows % size if size & (size - 1) else rows & (size - 1)

    def _slots(self, first: int, until: int) -> list[slice]:
        """Where rows first to until lie, at most as many as there are slots."""
        begin, count = first % self._size, until - first
        over = begin + count - self._size
        return [slice(begin, begin + count)] if over <= 0 else [slice(begin, self._size), slice(0, over)]

    def _layout(self) -> dict[str, tuple[str, float]]:
        return {**_COLUMNS, **dict.fromkeys(self.further, ("f4", np.nan))}

    def _grow(self, following: int) -> None:
        size = self._size
        wanted = min(self.capacity, max(_FIRST_CAPACITY, 1 << (following - 1).bit_length()))
        if wanted <= size:
            return
        kept = np.arange(self.oldest, self.next_row)
        before, after = kept % max(1, size), kept % wanted
        columns = {name: np.full(wanted, blank, dtype) for name, (dtype, blank) in self._layout().items()}
        for name in columns.keys() & self.columns.keys():
            columns[name][after] = self.columns[name][before]
        probabilities = np.full((wanted, self.probabilities.shape[1]), np.nan, np.float32)
        probabilities[after] = self.probabilities[before]
        self.first = self.oldest
        self.columns, self.probabilities = columns, probabilities
