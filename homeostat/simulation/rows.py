"""The rows of a small world, what they mean, and the trouble that both get into."""

from __future__ import annotations

from datetime import timedelta
from random import Random
from typing import Any, Literal

from homeostat.simulation.simulation import START

Trouble = Literal[
    "none",
    "unit-change",
    "concept-change",
    "missing-values",
    "bad-labels",
    "person",
    "noise",
    "unfair",
    "refused-rows",
    "script",
]
Kind = Literal["binary", "regression", "anomaly"]

ROWS = 720
MANY_ROWS = 920
WARM_UP = 140
A_SECOND = 20
TROUBLE = (260, 420)
UNIT_IS_RIGHT = 380
"""Where a unit is right again: soon enough for models to be made after the field was given back."""
LATE = 400
"""Where a concept changes of which models have no reference but their first 200 answered rows: sooner, nobody could
know.
"""
NIGHT = 7
"""One row in so many is of the night: a window has enough of the day to tell figures of it."""


def length_of(kind: Kind, trouble: Trouble) -> int:
    """How many rows there are: what is seen late needs more."""
    late = trouble in ("noise", "unfair") or (kind, trouble) == ("regression", "concept-change")
    return MANY_ROWS if late else ROWS


def shift_of(index: int, trouble: Trouble) -> str:
    """Which shift a row is of: where one is answered worse, both have many."""
    return "day" if index % (2 if trouble == "unfair" else NIGHT) else "night"


def row_of(rng: Random, kind: Kind, index: int, trouble: Trouble) -> tuple[dict[str, Any], object]:
    """A row and its truth."""
    heat, load, flow = (round(rng.gauss(0.0, 1.0), 6) for _ in range(3))
    inside = TROUBLE[0] <= index < TROUBLE[1]
    turned = trouble == "concept-change" and index >= (LATE if kind == "regression" else TROUBLE[0])
    level = (2.0 * heat - load) * (-1.0 if turned else 1.0) + 0.3 * rng.gauss(0.0, 1.0)
    if _means_nothing(index, trouble):
        level = 2.0 * rng.gauss(0.0, 1.0)
    label: object = int(level > 0.0) if kind == "binary" else round(level, 6)
    if trouble == "bad-labels" and inside:
        label = 0 if kind == "binary" else 0.0
    row: dict[str, Any] = {
        "id": f"row-{index:04d}",
        "at": (START + timedelta(minutes=index)).isoformat(),
        "line": f"line-{index % 5}",
        "heat": heat,
        "load": load,
        "flow": None if trouble == "missing-values" and inside else flow,
    }
    if trouble == "unit-change" and TROUBLE[0] <= index < UNIT_IS_RIGHT:
        row["heat"] = heat * 1000.0
    if trouble == "refused-rows" and inside and index % 2:
        row["heat"] = "warm"
    return row, label


def _means_nothing(index: int, trouble: Trouble) -> bool:
    """Whether nothing can be learned from this row any more: of all from some row on, or of those of the night."""
    night = trouble == "unfair" and index >= TROUBLE[0] and shift_of(index, trouble) == "night"
    return night or (trouble == "noise" and index >= LATE)
