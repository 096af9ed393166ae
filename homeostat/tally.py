"""What became of rows that were sent, however many they are: counts, and the first of what can be told one by one."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Self

Run = tuple[int, int, int]
"""Partition, first and last offset."""

MOST_RUNS = 50_000
MOST_REJECTED = 1000
MOST_IGNORED = 1000


@dataclass(slots=True)
class Tally:
    """What became of `rows` rows, to which more can be added. Its size has a bound.

    `rejected` holds the gateway's own entries of the first `MOST_REJECTED`, `index` counted from the first row of all;
    `reasons` counts all of them by reason. `ignored` counts rows by a field that the pipeline does not have, of the
    first `MOST_IGNORED` such. `written` has, as (partition, first, last), the runs of offsets on `raw-data` at which
    accepted rows stand, of the first `MOST_RUNS` to twice as many; `unkept` counts accepted rows of which it does not
    have the place.
    """

    accepted: int = 0
    rejected: list[Mapping[str, Any]] = field(default_factory=list)
    ignored: Counter[str] = field(default_factory=Counter)
    written: list[Run] = field(default_factory=list)
    unkept: int = 0
    rows: int = 0
    reasons: Counter[str] = field(default_factory=Counter)

    @classmethod
    def of_answer(cls, answer: Mapping[str, Any], rows: int) -> Self:
        """From the gateway's answer to a body of so many rows."""
        rejected = answer.get("rejected", [])
        return cls(
            answer["accepted"],
            rejected,
            Counter(answer.get("ignored", {})),
            [(run["partition"], run["first"], run["last"]) for run in answer.get("written", ())],
            rows=rows,
            reasons=Counter(entry["reason"] for entry in rejected),
        )

    @property
    def refused(self) -> int:
        """How many rows were rejected."""
        return self.reasons.total()

    def __iadd__(self, other: Tally) -> Self:
        room = max(0, MOST_REJECTED - len(self.rejected))
        self.rejected += [self.moved(entry, self.rows.__add__) for entry in other.rejected[:room]]
        self.accepted += other.accepted
        self.rows += other.rows
        self.reasons.update(other.reasons)
        for name, rows in other.ignored.items():
            if name in self.ignored or len(self.ignored) < MOST_IGNORED:
                self.ignored[name] += rows
        self.written += other.written
        self.unkept += other.unkept
        if len(self.written) > 2 * MOST_RUNS:
            self._bound()
        return self

    @staticmethod
    def moved(entry: Mapping[str, Any], place: Callable[[int], int]) -> Mapping[str, Any]:
        """A refusal whose rows, its own and the `other` that it clashes with, stand at other places."""
        return {**entry, **{name: place(entry[name]) for name in ("index", "other") if name in entry}}

    def _bound(self) -> None:
        """Room for as many again: so each run is sorted a few times, however many come."""
        runs = joined(self.written)
        self.unkept += sum(last - first + 1 for _, first, last in runs[MOST_RUNS:])
        self.written = list(runs[:MOST_RUNS])


def joined(runs: Sequence[Run]) -> tuple[Run, ...]:
    """The runs in order, those that follow each other as one.

    >>> joined([(1, 5, 9), (0, 0, 3), (1, 10, 12)])
    ((0, 0, 3), (1, 5, 12))
    """
    found: list[Run] = []
    for partition, first, last in sorted(runs):
        if found and found[-1][0] == partition and found[-1][2] == first - 1:
            found[-1] = (partition, found[-1][1], last)
        else:
            found.append((partition, first, last))
    return tuple(found)
