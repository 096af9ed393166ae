"""What a pipeline's specification asks of the monitor, and the bounds that go with it."""

from __future__ import annotations

import msgspec

from services.monitor.core import budget
from services.monitor.core.trouble import Limits
from shared.pipeline.origins import needed
from shared.pipeline.specification import Specification


class Patience(msgspec.Struct, frozen=True):
    """Bounds of memory and of waiting.

    `memory_rows`: how many of the newest rows per pipeline labels can be joined to, at most; fewer are
    kept while no labels come later than that. A label whose
    event is not seen within `unknown_horizon_rows` rows, or in `unknown_seconds` while no events
    come, is a dead letter. `hold_seconds`: how long a loss waits, on an idle stream, for the check
    of the inputs around it. `anomaly_hold_off_rows`: this many rows of an entity without an anomalous
    answer end its anomaly.
    """

    memory_rows: int = 500_000
    unknown_horizon_rows: int = 10_000
    unknown_seconds: float = 300.0
    hold_seconds: float = 5.0
    anomaly_hold_off_rows: int = 100


class Plan(msgspec.Struct, frozen=True):
    """What the specification asks of the monitor, and the bounds that go with it.

    `label_delay` and `objective` (for the time from arrival to answer) are in seconds. No input of the
    model is made of the fields `idle`: what is wrong with them is told, and excuses nothing.
    """

    name: str
    kind: str
    keyed: bool
    window: int
    performance_window: int
    min_rows: int
    main_metric: str
    tolerance: float
    anomalies: bool
    per_million: float
    patience: Patience
    label_delay: float = 0.0
    objective: float = 1.0
    idle: tuple[str, ...] = ()

    @property
    def limits(self) -> Limits:
        """The limits of the loss tests. For numbers, a share of the error moves the bounded error by a fifth of it."""
        tolerance = self.tolerance * 0.2 if self.kind == "regression" else self.tolerance
        rate = budget.rate_per_row(self.per_million, "errors")
        slow = budget.rate_per_row(self.per_million, "level")
        return Limits(tolerance, rate, budget.level_per_test(self.per_million, "release"), slow)

    def level(self, detector: str) -> float:
        """The level of a detector that tests once per data window."""
        return budget.level_per_test(self.per_million, detector, self.window)


def plan_of(specification: Specification, patience: Patience) -> Plan:
    watch, used = specification.monitor, needed(specification.fields, specification)
    return Plan(
        name=specification.name,
        kind=specification.kind,
        keyed=specification.key is not None,
        window=watch.window,
        performance_window=watch.performance_window,
        min_rows=specification.models.min_rows,
        main_metric=specification.main_metric,
        tolerance=watch.tolerance,
        anomalies=watch.anomalies,
        per_million=watch.false_alarms_per_million,
        patience=patience,
        label_delay=specification.label_delay.total_seconds(),
        objective=watch.latency_objective_ms / 1000,
        idle=tuple(name for name in specification.withholdable if name not in used),
    )
