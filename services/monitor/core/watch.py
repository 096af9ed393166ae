"""All that the monitor knows of one pipeline: what its judgements read and write."""

from __future__ import annotations

import msgspec
import numpy as np

from services.monitor.core.alerting import Alerts
from services.monitor.core.answers import AnomalyRun, Switch
from services.monitor.core.estimate import Estimated, Estimator, Lesson
from services.monitor.core.failures import Failures
from services.monitor.core.fairness import Fairness
from services.monitor.core.inputs import Inputs
from services.monitor.core.lateness import Lateness
from services.monitor.core.loss import Loss
from services.monitor.core.pace import Pace
from services.monitor.core.plan import Plan
from services.monitor.core.record import Record, Stretch, mask_of
from services.monitor.core.refusals import Refusals
from services.monitor.core.slices import Slicing
from services.monitor.core.state import Bools, Ints, no_rows
from services.monitor.core.watched import Fault
from services.monitor.core.windows import Windows
from shared.messages import Alert, DeadLetter, Metrics

Said = Metrics | Alert | DeadLetter

_MOST_STRETCHES = 64
_MOST_RUNS = 200


class Watch(msgspec.Struct):
    """State of one pipeline, without the handlers of its messages."""

    plan: Plan
    record: Record
    inputs: Inputs
    windows: Windows
    alerts: Alerts
    loss: Loss = msgspec.field(default_factory=Loss)
    refusals: Refusals = msgspec.field(default_factory=Refusals)
    lessons: dict[str, Lesson] = {}
    estimators: dict[str, Estimator] = {}
    estimates: list[Estimated] = []
    answered: Ints = msgspec.field(default_factory=no_rows)
    estimate_index: int = 0
    switch: Switch | None = None
    switch_rows: int = 0
    runs: dict[str, AnomalyRun] = {}
    stretches: list[Stretch] = []
    lived: list[str] = []
    retrains: list[str] = []
    promotions: list[str] = []
    gated: bool = False
    refused_quiet: dict[str, int] = {}
    drift_quiet: int = 0
    silenced: list[str] = []
    quarantined: list[tuple[str, str]] = []
    unknown_labels: int = 0
    held_since: float = 0.0
    last_row_at: float = 0.0
    told: tuple[int, int] = (0, 0)
    partial_revision: int = 0
    performed: dict[str, float] = {}
    drifted: dict[str, float] = {}
    estimated: dict[str, float] = {}
    lateness: Lateness = msgspec.field(default_factory=Lateness)
    pace: Pace = msgspec.field(default_factory=Pace)
    failures: Failures = msgspec.field(default_factory=Failures)
    slicings: list[Slicing] = []
    fairness: Fairness = msgspec.field(default_factory=Fairness)

    @property
    def counted(self) -> dict[str, float]:
        """The performance that counts now: the newest measured, or the estimated while labels are missing."""
        return (
            self.performed
            if self.lateness.missing is None
            else self.performed
            | {name: value for name, value in self.estimated.items() if not name.endswith(".stated_error")}
        )

    @property
    def harmful_faults(self) -> list[Fault]:
        """The fields now at fault that an input of the model is made of."""
        names, faults = self.inputs.fields.names, self.inputs.faults.values()
        return [fault for fault in faults if names[fault.column] not in self.plan.idle]

    def remember(self, stretch: Stretch) -> None:
        self.stretches = [*self.stretches, stretch][-_MOST_STRETCHES:]

    def excused(self, rows: Ints) -> Bools:
        """Which rows reached the model with inputs at fault: they tell nothing of the model."""
        out = np.zeros(len(rows), bool)
        if self.stretches and len(rows):
            sources = self.record.join.read("source", rows)
            bare = self.record.join.read("withheld", rows) == 0
            for stretch in self.stretches:
                last = stretch.last if stretch.last >= 0 else self.record.join.next_row
                same = (sources == stretch.source) | (stretch.source < 0)
                out |= mask_of(rows, [(stretch.first, last)]) & same & bare
        return out

    def run_of(self, entity: str) -> AnomalyRun:
        """The run of anomalies of one entity; the oldest make room for new ones."""
        run = self.runs.get(entity)
        if run is None:
            if len(self.runs) >= _MOST_RUNS:
                quiet = next((name for name, other in self.runs.items() if other.count == 0), None)
                if quiet is None:
                    return next(iter(self.runs.values()))
                del self.runs[quiet]
            run = self.runs[entity] = AnomalyRun(self.plan.patience.anomaly_hold_off_rows)
        return run
