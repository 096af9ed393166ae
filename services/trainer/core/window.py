"""Which rows to train on: offset ranges of the log, the cut to the newest rows, and how far back may be learned from.

Ranges map partition to [from, until). They are found by widening backwards from the log's end, so a
long log is not read whole for a training set bounded by rows.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

Ranges = dict[int, tuple[int, int]]
"""Partition to [from, until) offsets."""


@dataclass(frozen=True, slots=True)
class Cut:
    """The newest `rows` labelled rows, `changed` of them since the change; None where no change was named."""

    rows: int
    changed: int | None = None

    @property
    def widened(self) -> bool:
        """Whether rows from before the change are among them."""
        return self.changed is not None and self.changed < self.rows

    @property
    def reason(self) -> str:
        """The rows as a sentence has them."""
        if self.changed is None:
            return f"the newest {self.rows} labelled rows"
        if not self.widened:
            return f"{self.rows} labelled rows since the change"
        return f"the newest {self.rows} labelled rows, {self.changed} of them since the change"

    def newest(self, rows: int) -> Cut:
        """The newest `rows` of these."""
        return Cut(rows, None if self.changed is None else min(self.changed, rows))


def newest(begins: Mapping[int, int], ends: Mapping[int, int], depth: int) -> Ranges:
    """The last `depth` offsets of each partition.

    >>> newest({0: 0, 1: 90}, {0: 100, 1: 100}, 50)
    {0: (50, 100), 1: (90, 100)}
    """
    return {p: (max(begins.get(p, 0), end - depth), end) for p, end in sorted(ends.items())}


def depth_of(begins: Mapping[int, int], ends: Mapping[int, int], rows: int) -> int:
    """The least depth at which `newest` has `rows` offsets in all, or else all there are: keys may fill one partition.

    >>> depth_of({0: 0, 1: 90}, {0: 100, 1: 100}, 50)
    40
    """
    spans = sorted(end - begins.get(p, 0) for p, end in ends.items())
    for index, span in enumerate(spans):
        share = -(-rows // (len(spans) - index))
        if share <= span:
            return share
        rows -= span
    return max(spans, default=0)


def until(ends: Mapping[int, int], positions: Mapping[int, int] | None) -> dict[int, int]:
    """The ends, cut at `positions` where they name one."""
    return {p: min(end, (positions or {}).get(p, end)) for p, end in ends.items()}


def exhausted(ranges: Ranges, begins: Mapping[int, int]) -> bool:
    """Whether the ranges already start where the log does: reading further back finds nothing more."""
    return all(start <= begins.get(p, 0) for p, (start, _) in ranges.items())


def lengths_of(rows: int, changed: int | None, least: int) -> tuple[int, ...]:
    """How many of the newest of `rows` may be trained on: all, halves of that, and those since the change.

    Longest first, none but all shorter than `least`.

    >>> lengths_of(4000, 700, 400)
    (4000, 2000, 1000, 700, 500)
    """
    found = {rows}
    length = rows // 2
    while length >= least:
        found.add(length)
        length //= 2
    if changed is not None and least <= changed < rows:
        found.add(changed)
    return tuple(sorted(found, reverse=True))


def tightened(ranges: Ranges, partitions: Sequence[int], offsets: Sequence[int]) -> Ranges:
    """The smallest ranges that hold these rows, row i being at (partitions[i], offsets[i]).

    A partition without a row keeps an empty range at its end.
    """
    first: dict[int, int] = {}
    for partition, offset in zip(partitions, offsets, strict=True):
        first[partition] = min(offset, first.get(partition, offset))
    return {p: (first.get(p, stop), stop) for p, (_, stop) in ranges.items()}


def as_offsets(value: object) -> dict[int, int] | None:
    """Offsets by partition as commands carry them (JSON: partition as text), or ValueError.

    >>> as_offsets({"0": 12})
    {0: 12}
    """
    if value is None:
        return None
    if not isinstance(value, Mapping):
        raise ValueError(f"{value!r} does not map partition to offset, as in {{'0': 1200}}")
    offsets: dict[int, int] = {}
    for partition, offset in sorted(value.items()):
        if not str(partition).isdigit() or isinstance(offset, bool) or not isinstance(offset, int) or offset < 0:
            raise ValueError(f"{partition!r}: {offset!r} is not a partition and an offset, as in '0': 1200")
        offsets[int(partition)] = offset
    return offsets
