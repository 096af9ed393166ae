"""The newest predictions of each pipeline, where older ones stand in the log, and how many came per second."""

from __future__ import annotations

from array import array
from collections import deque
from collections.abc import Sequence
from datetime import datetime
from itertools import takewhile
from typing import Any

from services.gateway.readmodel.entry import Entry
from shared.messages import Prediction

KEPT = 2000
PLACES_KEPT = 50_000
RATE_SECONDS = 60
LEAST_UNANSWERED = 10
_64_BITS = 2**64 - 1
_OFFSET_BITS = 48
_LEAST_SLOTS = 64

Place = tuple[int, int]
"""Partition and offset on `predictions`."""


class _Table:
    """Places by 64 bits of an id: a hash table with linear probing (Knuth, 1973), at most four fifths of it taken.

    20 to 40 bytes an id, of which a dictionary takes some 200.
    """

    def __init__(self) -> None:
        self.count = 0
        self._keys = array("Q", bytes(8 * _LEAST_SLOTS))
        self._places = array("Q", bytes(8 * _LEAST_SLOTS))

    def put(self, key: int, place: Place) -> None:
        slot = self._slot_of(key)
        self.count += not self._places[slot]
        self._keys[slot], self._places[slot] = key, (place[0] << _OFFSET_BITS | place[1]) + 1
        if 5 * self.count > 4 * len(self._keys):
            self._grow()

    def get(self, key: int) -> Place | None:
        packed = self._places[self._slot_of(key)] - 1
        return None if packed < 0 else (packed >> _OFFSET_BITS, packed & (1 << _OFFSET_BITS) - 1)

    def _slot_of(self, key: int) -> int:
        """That of the key, else the free one that it would take."""
        last = len(self._keys) - 1
        slot = key & last
        while self._places[slot] and self._keys[slot] != key:
            slot = slot + 1 & last
        return slot

    def _grow(self) -> None:
        keys, places = self._keys, self._places
        self._keys, self._places = array("Q", bytes(16 * len(keys))), array("Q", bytes(16 * len(keys)))
        for key, place in zip(keys, places, strict=True):
            if place:
                slot = self._slot_of(key)
                self._keys[slot], self._places[slot] = key, place


class _Places:
    """Where the newest `PLACES_KEPT` to twice as many ids were answered; ids are remembered by 64 bits."""

    def __init__(self, kept: int) -> None:
        self.dropped = False
        self._kept = kept
        self._newer, self._older = _Table(), _Table()

    def add(self, event: str, place: Place) -> None:
        self._newer.put(hash(event) & _64_BITS, place)
        if self._newer.count >= self._kept:
            self.dropped = bool(self._older.count)
            self._older, self._newer = self._newer, _Table()

    def get(self, event: str) -> Place | None:
        key = hash(event) & _64_BITS
        return self._newer.get(key) or self._older.get(key)

    def __len__(self) -> int:
        return self._newer.count + self._older.count


class _Ring:
    def __init__(self, kept: int, places: int) -> None:
        self.places = _Places(places)
        self.entries: deque[Entry[Prediction]] = deque()
        self.by_id: dict[str, Entry[Prediction]] = {}
        self.per_second: deque[tuple[int, int]] = deque(maxlen=RATE_SECONDS + 1)
        self.kept = kept
        self.total = 0

    def add(self, entry: Entry[Prediction]) -> None:
        self.entries.append(entry)
        self.by_id[entry.message.id] = entry
        self.places.add(entry.message.id, (entry.partition, entry.offset))
        self.total += 1
        second = int(entry.at.timestamp())
        if not self.per_second or self.per_second[-1][0] < second:
            self.per_second.append((second, 0))
        newest, count = self.per_second[-1]
        self.per_second[-1] = (newest, count + 1)
        if len(self.entries) > self.kept:
            old = self.entries.popleft()
            if self.by_id.get(old.message.id) is old:
                del self.by_id[old.message.id]


class PredictionBook:
    """A ring of `kept` predictions per pipeline, and the places of at least `places` before them."""

    def __init__(self, kept: int = KEPT, places: int = PLACES_KEPT) -> None:
        self._kept = kept
        self._places = places
        self._rings: dict[str, _Ring] = {}
        self._whole: bool | None = None

    def begin(self, starts: Sequence[int]) -> None:
        """At these offsets the following began; it is begun again where it left off."""
        if self._whole is None:
            self._whole = not any(starts)

    def on_predictions(self, entries: Sequence[Entry[Prediction]]) -> None:
        for entry in entries:
            self._rings.setdefault(entry.message.pipeline, _Ring(self._kept, self._places)).add(entry)

    def forget(self, pipeline: str, before: datetime) -> None:
        """The pipeline was removed then; where newer ones have come it has been defined again."""
        ring = self._rings.get(pipeline)
        if ring is not None and ring.entries[-1].at <= before:
            del self._rings[pipeline]

    def get(self, pipeline: str, event: str) -> Prediction | None:
        """The newest answer to this event, while it is remembered."""
        ring = self._rings.get(pipeline)
        entry = None if ring is None else ring.by_id.get(event)
        return None if entry is None else entry.message

    def place(self, pipeline: str, event: str) -> Place | None:
        """Where the newest answer to this event stands, while that is remembered."""
        ring = self._rings.get(pipeline)
        return None if ring is None else ring.places.get(event)

    def known(self, pipeline: str) -> int:
        """How many of its answers' places are remembered."""
        ring = self._rings.get(pipeline)
        return 0 if ring is None else len(ring.places)

    def knows_all(self, pipeline: str) -> bool:
        """Whether that is every answer there ever was: read from the log's first record on, none of them forgotten."""
        ring = self._rings.get(pipeline)
        return bool(self._whole) and (ring is None or not ring.places.dropped)

    def newest(self, pipeline: str, limit: int) -> list[Prediction]:
        """Newest first."""
        ring = self._rings.get(pipeline)
        return [] if ring is None else [entry.message for entry in list(ring.entries)[: -limit - 1 : -1]]

    def unanswered(self, pipeline: str) -> dict[str, Any] | None:
        """How many of the newest `rows` in a row a live version gave no answer to, and why; None for less than
        `LEAST_UNANSWERED`: single rows that a model cannot take are no sign of a model that takes none.
        """
        newest = self.newest(pipeline, self._kept)
        failed = list(takewhile(lambda each: each.prediction is None and each.role != "none", newest))
        if len(failed) < LEAST_UNANSWERED:
            return None
        return {"rows": len(failed), "model_version": failed[0].model_version, "reason": failed[0].reason or ""}

    def per_second(self, pipeline: str, now: datetime) -> float:
        """Predictions per second over the last ten whole seconds."""
        ring = self._rings.get(pipeline)
        this = int(now.timestamp())
        return 0.0 if ring is None else sum(n for second, n in ring.per_second if this - 10 <= second < this) / 10

    def history(self, pipeline: str, now: datetime) -> list[int]:
        """Predictions in each of the last `RATE_SECONDS` whole seconds, oldest first."""
        ring = self._rings.get(pipeline)
        found = {} if ring is None else dict(ring.per_second)
        this = int(now.timestamp())
        return [found.get(second, 0) for second in range(this - RATE_SECONDS, this)]
