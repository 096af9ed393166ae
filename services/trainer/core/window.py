"""Which rows to train on: offset ranges of the log, and the cut to the newest rows.

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
    """How many of the newest labelled rows to keep, and the sentence that says why."""

    rows: int
    widened: bool
    reason: str


def newest(begins: Mapping[int, int], ends: Mapping[int, int], depth: int) -> Ranges:
    """The last `depth` offsets of each partition.

    >>> newest({0: 0, 1: 90}, {0: 100, 1: 100}, 50)
    {0: (50, 100), 1: (90, 100)}
    """
    return {p: (max(begins.get(p, 0), end - depth), end) for p, end in sorted(ends.items())}


def since(begins: Mapping[int, int], ends: Mapping[int, int], positions: Mapping[int, int]) -> Ranges:
    """From `positions` to the end; a partition that they do not name starts at the end.

    >>> since({0: 0, 1: 0}, {0: 100, 1: 100}, {0: 40})
    {0: (40, 100), 1: (100, 100)}
    """
    return {p: (min(end, max(begins.get(p, 0), positions.get(p, end))), end) for p, end in sorted(ends.items())}


def until(ends: Mapping[int, int], positions: Mapping[int, int] | None) -> dict[int, int]:
    """The ends, cut at `positions` where they name one."""
    return {p: min(end, (positions or {}).get(p, end)) for p, end in ends.items()}


def exhausted(ranges: Ranges, begins: Mapping[int, int]) -> bool:
    """Whether the ranges already start where the log does: reading further back finds nothing more."""
    return all(start <= begins.get(p, 0) for p, (start, _) in ranges.items())


def cut_of(labelled_since: int | None, labelled: int, *, train_rows: int, min_rows: int) -> Cut:
    """How many of the `labelled` rows to train on, `labelled_since` of which come after the change.

    With fewer than `min_rows` since the change, the set is widened to the newest `min_rows`.

    >>> cut_of(120, 4000, train_rows=2000, min_rows=500).rows
    500
    """
    if labelled_since is None:
        rows = min(labelled, train_rows)
        return Cut(rows, False, f"the newest {rows} labelled rows")
    if labelled_since >= min_rows:
        rows = min(labelled_since, train_rows)
        return Cut(rows, False, f"{rows} labelled rows since the change")
    rows = min(labelled, min_rows)
    return Cut(
        rows,
        True,
        f"only {labelled_since} labelled rows since the change, fewer than models.min_rows ({min_rows}): "
        f"widened to the newest {rows}",
    )


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
