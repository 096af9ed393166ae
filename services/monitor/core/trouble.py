"""A loss as it is known: where it began, by what evidence, and within which limits it was looked for."""

from __future__ import annotations

import msgspec


class Limits(msgspec.Struct, frozen=True):
    """`tolerance` in units of error; `rate` of false alarms per row; `level` of one release's test.

    `slow_rate`: false alarms per row of the test of the level.
    """

    tolerance: float
    rate: float
    level: float
    slow_rate: float = 1e-6


class Trouble(msgspec.Struct):
    """A loss that began at row `onset` and crossed the line at `row`.

    `evidence` is the wealth of the bet: one over the false-alarm rate it could still be claimed at.
    `baseline` and `level` are mean errors before and since; `confirmed` once it was raised; `labels_of`
    names the one source whose labels alone disagree with the model, if that is what it is. `slow`: found
    by the level of many rows, not by the bet.
    """

    release: bool
    version: str
    baseline: float
    level: float
    onset: int
    row: int
    evidence: float
    limit: float
    samples: int
    reference_samples: int
    canary: bool = False
    confirmed: bool = False
    labels_of: str = ""
    withheld: str = ""
    slow: bool = False
