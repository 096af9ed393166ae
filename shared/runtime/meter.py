"""What the runtime counts of its own work, for the heartbeat and for Prometheus."""

from __future__ import annotations

import resource
import sys
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Literal

from shared.messages import Heartbeat
from shared.telemetry.metrics import BY_NAME, Meters
from shared.telemetry.published import Observer

Gauges = Mapping[tuple[str, tuple[tuple[str, str], ...]], float]
_STATM = Path("/proc/self/statm")


def resident_bytes() -> int:
    """Resident memory of this process; its peak where the system does not tell the present."""
    try:
        return int(_STATM.read_text().split()[1]) * resource.getpagesize()
    except (OSError, IndexError, ValueError):
        peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        return peak if sys.platform == "darwin" else peak * 1024


def processor_seconds() -> float:
    """Time that this process has had on the processors so far."""
    used = resource.getrusage(resource.RUSAGE_SELF)
    return used.ru_utime + used.ru_stime


@dataclass
class Meter:
    """Totals since `started`. Lags are records waiting per topic, by its name without prefix.

    `incomplete` says by task what its restored state lacks.
    """

    service: str
    instance: str
    started: datetime
    meters: Meters
    rss: Callable[[], int] = resident_bytes
    processor: Callable[[], float] = processor_seconds
    records_in: Counter[str] = field(default_factory=Counter)
    records_out: int = 0
    dead: int = 0
    errors: int = 0
    longest_step: float = 0.0
    gauges: dict[str, Gauges] = field(default_factory=dict)
    incomplete: dict[str, str] = field(default_factory=dict)
    observer: Observer = field(init=False)

    def __post_init__(self) -> None:
        self.observer = Observer(self.service, self.meters)

    def took(self, topic: str, records: int) -> None:
        self.records_in[topic] += records
        self.meters.count("homeostat_records_in_total", records, service=self.service, topic=topic)
        self.meters.observe("homeostat_batch_records", records, service=self.service)

    def wrote(self, topic: str, records: int) -> None:
        self.records_out += records
        self.meters.count("homeostat_records_out_total", records, service=self.service, topic=topic)

    def stepped(self, seconds: float, dead: int) -> None:
        self.longest_step = max(self.longest_step, seconds)
        self.dead += dead
        self.meters.observe("homeostat_step_seconds", seconds, service=self.service)
        self.meters.count("homeostat_records_dead_total", dead, service=self.service)

    def committed(self, seconds: float) -> None:
        self.meters.observe("homeostat_transaction_seconds", seconds, service=self.service)

    def failed(self, reaction: str) -> None:
        """`reaction`: transient, handler, aborted or snapshot."""
        self.errors += 1
        self.meters.count("homeostat_errors_total", 1, service=self.service, reaction=reaction)

    def restored(self, seconds: float, steps: int) -> None:
        self.meters.observe("homeostat_restore_seconds", seconds, service=self.service)
        self.meters.count("homeostat_steps_replayed_total", steps, service=self.service)

    def restored_without(self, task: str, lacks: str) -> None:
        """What a restored state lacks is told for as long as this process runs: a later snapshot says so too."""
        if lacks:
            self.incomplete[task] = lacks

    @property
    def lacks(self) -> str:
        """What the restored states lack, for people; empty where they are whole."""
        return "; ".join(f"{task}: {lacks}" for task, lacks in sorted(dict(self.incomplete).items()))

    def expose(self, task: str, gauges: Gauges) -> None:
        """The service's own gauges and running totals; those a task no longer gives are taken away.

        A counter grows by what its total has grown since it was last given; a total that fell (a task
        begun again from an earlier state) leaves it where it is.
        """
        before = self.gauges.get(task, {})
        for name, labels in before.keys() - gauges.keys():
            self.meters.remove(name, **dict(labels))
        for (name, labels), value in gauges.items():
            if BY_NAME[name].kind == "counter":
                self.meters.count(name, max(0.0, value - before.get((name, labels), 0.0)), **dict(labels))
            else:
                self.meters.set(name, value, **dict(labels))
        self.gauges[task] = gauges

    def beat(
        self,
        now: datetime,
        lag: Mapping[str, int],
        state: Literal["running", "draining"] = "running",
        *,
        starting: bool = False,
    ) -> Heartbeat:
        """The pulse as of now; the longest step begins anew."""
        rss = self.rss()
        self.meters.set("homeostat_memory_bytes", rss, service=self.service)
        self.observer.spent(self.processor())
        for topic, waiting in lag.items():
            self.meters.set("homeostat_lag_records", waiting, service=self.service, topic=topic)
        longest, self.longest_step = self.longest_step, 0.0
        return Heartbeat(
            service=self.service,
            instance=self.instance,
            at=now,
            started=self.started,
            records_in=self.records_in.total(),
            records_out=self.records_out,
            dead=self.dead,
            errors=self.errors,
            step_seconds=longest,
            lag=dict(lag),
            rss_bytes=rss,
            state=state,
            starting=starting,
            incomplete=self.lacks,
        )
