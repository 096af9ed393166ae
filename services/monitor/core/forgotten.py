"""Which events were known once: their ids as numbers, so that a label that is too late is told from one of nobody's.

An id is kept as 64 bits of its BLAKE2b hash and one byte that says whether its label was counted: the
chance that an id of nobody's is taken for one of a million is below one in ten billion. They lie in
sorted runs; the oldest run goes as a whole.
"""

from __future__ import annotations

from collections.abc import Sequence
from hashlib import blake2b

import msgspec
import numpy as np
from numpy.typing import NDArray

from services.monitor.core.state import Bools

_RUNS = 32


class Run(msgspec.Struct):
    """Ids that were forgotten one after the other, sorted by their hash."""

    hashes: NDArray[np.uint64]
    counted: Bools


class Forgotten(msgspec.Struct):
    """The newest ids forgotten, at least `capacity` of them. `fresh` are those not yet sorted into a run."""

    capacity: int
    fresh: dict[int, bool] = {}
    runs: list[Run] = []

    def __len__(self) -> int:
        return len(self.fresh) + sum(len(run.hashes) for run in self.runs)

    def remember(self, ids: Sequence[str], counted: Bools) -> None:
        """Takes ids that are forgotten now, and whether each has had a label that was counted."""
        if not self.capacity:
            return
        self.fresh.update(zip(map(_hash, ids), counted.tolist(), strict=True))
        size = max(1, self.capacity // _RUNS)
        if len(self.fresh) >= size:
            hashes = np.fromiter(self.fresh.keys(), np.uint64, len(self.fresh))
            order = np.argsort(hashes)
            self.runs.append(Run(hashes[order], np.fromiter(self.fresh.values(), bool, len(self.fresh))[order]))
            self.fresh = {}
        while sum(len(run.hashes) for run in self.runs[1:]) >= self.capacity:
            del self.runs[0]

    def count(self, ids: Sequence[str]) -> list[bool | None]:
        """Labels for these ids: None where an id is not known, else whether its label is counted here first."""
        found: list[bool | None] = [None] * len(ids)
        if not len(self):
            return found
        hashes = [_hash(name) for name in ids]
        for place, name in enumerate(hashes):
            if name in self.fresh:
                found[place], self.fresh[name] = not self.fresh[name], True
        wanted = np.array(hashes, np.uint64)
        for run in reversed(self.runs):
            at = np.minimum(np.searchsorted(run.hashes, wanted), len(run.hashes) - 1)
            for place in np.flatnonzero(run.hashes[at] == wanted).tolist():
                if found[place] is None:
                    found[place], run.counted[at[place]] = not run.counted[at[place]], True
        return found


def _hash(name: str) -> int:
    return int.from_bytes(blake2b(name.encode(), digest_size=8).digest(), "big")
