"""Every Prometheus metric of Homeostat, in one list; `docs/metrics.md` is made from it.

`python -m shared.telemetry.metrics > docs/metrics.md` writes that page.
"""

from __future__ import annotations

import sys
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Literal, TypeVar

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest


@dataclass(frozen=True, slots=True)
class Metric:
    """One metric. Units are base units; `labels` never hold an id. `buckets` are upper bounds."""

    name: str
    kind: Literal["counter", "gauge", "histogram"]
    unit: str
    labels: tuple[str, ...]
    about: str
    buckets: tuple[float, ...] = ()


_SECONDS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0)
_LONG_SECONDS = (1.0, 2.5, 5.0, 10.0, 30.0, 60.0, 120.0, 300.0, 600.0, 1800.0, 3600.0, 14400.0)
_RECORDS = (1.0, 3.0, 10.0, 30.0, 100.0, 300.0, 1000.0, 3000.0)

METRICS: tuple[Metric, ...] = (
    # every service, by its runtime
    Metric("homeostat_records_in_total", "counter", "records", ("service", "topic"), "records handled"),
    Metric("homeostat_records_out_total", "counter", "records", ("service", "topic"), "records published"),
    Metric("homeostat_records_dead_total", "counter", "records", ("service",), "records refused as undecodable"),
    Metric("homeostat_batch_records", "histogram", "records", ("service",), "records per batch", _RECORDS),
    Metric("homeostat_step_seconds", "histogram", "seconds", ("service",), "time of one step", _SECONDS),
    Metric("homeostat_transaction_seconds", "histogram", "seconds", ("service",), "time of one commit", _SECONDS),
    Metric("homeostat_restore_seconds", "histogram", "seconds", ("service",), "time to restore a task", _SECONDS),
    Metric("homeostat_steps_replayed_total", "counter", "steps", ("service",), "journaled steps taken again"),
    Metric("homeostat_errors_total", "counter", "errors", ("service", "reaction"), "failures the runtime answered"),
    Metric("homeostat_lag_records", "gauge", "records", ("service", "topic"), "records waiting"),
    Metric("homeostat_memory_bytes", "gauge", "bytes", ("service",), "resident memory"),
    Metric("homeostat_tasks", "gauge", "tasks", ("service",), "tasks running in this process"),
    Metric("homeostat_jobs_total", "counter", "jobs", ("service", "job", "outcome"), "jobs ended"),
    # the way of an event
    Metric(
        "homeostat_event_latency_seconds",
        "histogram",
        "seconds",
        ("service", "pipeline"),
        "from an event's arrival to its prediction",
        _SECONDS,
    ),
    Metric(
        "homeostat_predictions_total", "counter", "predictions", ("service", "pipeline", "model_version"), "answers"
    ),
    Metric("homeostat_live_version", "gauge", "1", ("pipeline", "model_version"), "1 for the champion"),
    Metric(
        "homeostat_repeated_rows_total", "counter", "rows", ("pipeline", "partition"), "events dropped as repetitions"
    ),
    Metric(
        "homeostat_unknown_fields_total",
        "counter",
        "fields",
        ("pipeline", "partition"),
        "fields dropped as not in the schema",
    ),
    Metric("homeostat_rest_requests_total", "counter", "requests", ("service", "route", "status"), "REST calls"),
    Metric("homeostat_rest_seconds", "histogram", "seconds", ("service", "route"), "time of a REST call", _SECONDS),
    # what the monitor sees
    Metric("homeostat_performance", "gauge", "value", ("pipeline", "metric"), "newest window's performance"),
    Metric("homeostat_drift", "gauge", "value", ("pipeline", "feature"), "newest window's drift statistic"),
    Metric("homeostat_alerts_firing", "gauge", "alerts", ("pipeline", "kind"), "alerts that fire now"),
    # what is done about it
    Metric("homeostat_commands_total", "counter", "commands", ("pipeline", "action", "outcome"), "orders ended"),
    Metric("homeostat_incidents_open", "gauge", "incidents", ("pipeline",), "incidents not yet ended"),
    Metric(
        "homeostat_fault_to_alert_seconds",
        "histogram",
        "seconds",
        ("pipeline", "kind"),
        "from the estimated change to the alert",
        _LONG_SECONDS,
    ),
    Metric(
        "homeostat_alert_to_recovery_seconds",
        "histogram",
        "seconds",
        ("pipeline", "kind"),
        "from the incident's first alert to its resolution",
        _LONG_SECONDS,
    ),
    Metric(
        "homeostat_cost_per_thousand_predictions_seconds",
        "gauge",
        "seconds",
        ("pipeline",),
        "the predictor's processor time for a thousand predictions",
    ),
)

BY_NAME = {metric.name: metric for metric in METRICS}

T = TypeVar("T", Counter, Gauge, Histogram)


class Meters:
    """The metrics of one process. Names and labels are those of `METRICS`; others are a `KeyError`."""

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        self._made: dict[str, Counter | Gauge | Histogram] = {}
        self._children: dict[tuple[object, ...], Any] = {}

    def count(self, name: str, amount: float, **labels: str) -> None:
        self._child(name, Counter, labels).inc(amount)

    def set(self, name: str, value: float, **labels: str) -> None:
        self._child(name, Gauge, labels).set(value)

    def observe(self, name: str, value: float, **labels: str) -> None:
        self._child(name, Histogram, labels).observe(value)

    def observe_all(self, name: str, values: Iterable[float], **labels: str) -> None:
        child = self._child(name, Histogram, labels)
        for value in values:
            child.observe(value)

    def remove(self, name: str, **labels: str) -> None:
        """The gauge or counter with these labels no longer says anything."""
        metric = BY_NAME[name]
        made = self._of(name, Counter) if metric.kind == "counter" else self._of(name, Gauge)
        made.remove(*(labels[label] for label in metric.labels))
        self._children = {at: child for at, child in list(self._children.items()) if at[0] != name}

    def text(self) -> bytes:
        """All of it in Prometheus's text format."""
        return generate_latest(self.registry)

    def _child(self, name: str, kind: type[T], labels: Mapping[str, str]) -> T:
        """Kept: the library looks labels up by sorting, checking and locking, each time."""
        at = (name, kind, *labels.items())
        child: T | None = self._children.get(at)
        if child is None:
            child = self._children[at] = self._of(name, kind).labels(**labels)
        return child

    def _of(self, name: str, kind: type[T]) -> T:
        made = self._made.get(name)
        if made is None:
            metric = BY_NAME[name]
            extra = {"buckets": metric.buckets} if metric.buckets else {}
            made = kind(metric.name, metric.about, metric.labels, registry=self.registry, **extra)  # type: ignore[arg-type]
            self._made[name] = made
        if not isinstance(made, kind):
            raise TypeError(f"{name} is a {BY_NAME[name].kind}")
        return made


def page() -> str:
    """The documentation page, as Markdown."""
    rows = [
        f"| `{metric.name}` | {metric.kind} | {metric.unit} | "
        f"{', '.join(f'`{label}`' for label in metric.labels)} | {metric.about} |"
        for metric in METRICS
    ]
    head = [
        "# Metrics",
        "",
        "Made from `shared/telemetry/metrics.py` by `python -m shared.telemetry.metrics`. Each process serves its",
        "own at `/metrics` on its health port.",
        "",
        "| name | kind | unit | labels | meaning |",
        "|---|---|---|---|---|",
    ]
    return "\n".join([*head, *rows, ""])


if __name__ == "__main__":
    sys.stdout.write(page())
