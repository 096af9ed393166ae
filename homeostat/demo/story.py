"""What happens in the demo, by row of the stream: a plan, and the rows as they are sent."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from shared.errors import Misconfigured

FaultName = Literal["unit-change", "bad-release"]
FAULTS: tuple[FaultName, ...] = ("unit-change", "bad-release")
"""The faults that can be put in; the drift is in the data itself."""


@dataclass(frozen=True, slots=True)
class Fault:
    """One planned fault. Rows count from 0; `ends` is the first row that is right again (or `begins`)."""

    name: FaultName
    begins: int
    ends: int
    about: str


@dataclass(frozen=True, slots=True)
class Story:
    """The whole plan.

    `warm_up` rows are sent at once, with their labels, for the first model. Every later label comes
    `label_lag` rows after its event. `field` is the one whose unit changes, by `factor`.
    """

    rows: int
    warm_up: int
    label_lag: int
    field: str
    factor: float
    faults: tuple[Fault, ...]

    def row(self, index: int, row: Mapping[str, Any]) -> dict[str, Any]:
        """The row as its source sends it at this point of the story."""
        sent = dict(row)
        for fault in self.faults:
            if fault.name == "unit-change" and fault.begins <= index < fault.ends:
                sent[self.field] = sent[self.field] * self.factor
        return sent


def faults_of(names: Sequence[str]) -> tuple[Fault, ...]:
    """The faults of these names, or all where none is given. `Misconfigured` names one that there is not."""
    unknown = sorted(set(names) - set(FAULTS))
    if unknown:
        raise Misconfigured(f"there is no sabotage {', '.join(unknown)}; there are {', '.join(FAULTS)}")
    change = Fault("unit-change", 20_000, 22_500, "the price arrives in thousandths: times 1000")
    release = Fault("bad-release", 27_000, 27_000, "a person promotes a version trained on swapped labels")
    return tuple(fault for fault in (change, release) if not names or fault.name in names)


def story_of(faults: tuple[Fault, ...], total: int) -> Story:
    """The demo's plan with these faults, fitted to a stream of `total` rows."""
    rows = min(total, 38_000)
    return Story(rows=rows, warm_up=2_000, label_lag=96, field="nswprice", factor=1000.0, faults=faults)
