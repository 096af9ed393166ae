"""What every benchmark is told, how what it measures is taken in turn and compared, and where its figures go."""

from __future__ import annotations

import argparse
import json
import statistics
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from rich.table import Table

Measured = Mapping[str, Sequence[float]]
"""What each worker showed, round by round: all of them in the same rounds."""


@dataclass(frozen=True)
class Figure:
    """What a worker showed in each round; `ratio` is the median of the rounds' ratios to the reference."""

    worker: str
    figures: list[float]
    ratio: float

    @property
    def median(self) -> float:
        """The middle one of the rounds."""
        return statistics.median(self.figures)


def options(about: str | None) -> argparse.ArgumentParser:
    """A parser with the option that all of them have; `about` is the benchmark's own docstring."""
    parser = argparse.ArgumentParser(description=about)
    parser.add_argument("--json", type=Path, default=None, help="where the figures are written")
    return parser


def options_in_rounds(about: str | None) -> argparse.ArgumentParser:
    """As `options`, for a benchmark that takes its workers in turn."""
    parser = options(about)
    parser.add_argument("--rounds", type=int, default=3)
    return parser


def in_turn(workers: Mapping[str, Callable[[], float]], rounds: int) -> dict[str, list[float]]:
    """What each worker showed: A B C, A B C, and so on, at least three times."""
    found: dict[str, list[float]] = {name: [] for name in workers}
    for _ in range(max(3, rounds)):
        for name, worker in workers.items():
            found[name].append(worker())
    return found


def compared(found: Measured, reference: str) -> list[Figure]:
    """Each worker beside `reference`, which is one of them.

    >>> [(each.worker, each.median, each.ratio) for each in compared({"a": [2, 4, 9], "b": [1, 2, 3]}, "b")]
    [('a', 4, 2.0), ('b', 2, 1.0)]
    """
    return [Figure(name, list(figures), ratio_of(figures, found[reference])) for name, figures in found.items()]


def ratio_of(ours: Sequence[float], theirs: Sequence[float]) -> float:
    """The median of the rounds' ratios: what all of a round have in common falls out of it."""
    return statistics.median(one / other for one, other in zip(ours, theirs, strict=True))


def table_of(figures: Sequence[Figure], what: str, reference: str, digits: int = 0) -> Table:
    """A line per worker. `what` is measured, and in which unit."""
    table = Table("worker", f"{what}, median (least to most)", f"against {reference}")
    for each in figures:
        spread = f"{min(each.figures):,.{digits}f} to {max(each.figures):,.{digits}f}"
        table.add_row(each.worker, f"{each.median:,.{digits}f} ({spread})", f"{each.ratio:,.3g}")
    return table


def keep(figures: Any, path: Path | None) -> None:
    """Writes the figures as JSON, where a path is given."""
    if path is not None:
        path.write_text(json.dumps(figures, indent=2) + "\n")
