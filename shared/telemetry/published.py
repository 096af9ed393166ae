"""What the messages that a service publishes say in figures: the metrics of the loop, for all services in one place."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from datetime import datetime
from typing import Any

from shared.messages import Alert, AuditEntry, Metrics, Prediction
from shared.telemetry.metrics import Meters

NO_VERSION = "none"
FINAL = ("succeeded", "failed", "refused", "expired")


class Observer:
    """Is told of every message once, after it is committed. What it remembers is bounded by what is open now.

    After a restart it begins anew: an incident opened before it is not timed.
    """

    def __init__(self, service: str, meters: Meters) -> None:
        self._service = service
        self._meters = meters
        self._firing: set[str] = set()
        self._opened: dict[str, tuple[datetime, str]] = {}
        self._answered: Counter[str] = Counter()
        self._processor_seconds: float | None = None
        self._of: dict[type, Callable[[Any], None]] = {
            Alert: self._alert,
            AuditEntry: self._audit,
            Metrics: self._metrics,
        }

    def saw(self, messages: Sequence[object], now: datetime) -> None:
        """`now` is when they were published."""
        predictions = [message for message in messages if isinstance(message, Prediction)]
        if predictions:
            self._predictions(predictions, now)
        if len(predictions) < len(messages):
            for message in messages:
                if (told := self._of.get(type(message))) is not None:
                    told(message)

    def spent(self, processor_seconds: float) -> None:
        """The process's time on the processors so far: shared out among what was predicted since the last call."""
        before, self._processor_seconds = self._processor_seconds, processor_seconds
        total = self._answered.total()
        if before is not None and total:
            cost = (processor_seconds - before) / total * 1000
            for pipeline in self._answered:
                self._meters.set("homeostat_cost_per_thousand_predictions_seconds", cost, pipeline=pipeline)
        self._answered.clear()

    def _predictions(self, predictions: Sequence[Prediction], now: datetime) -> None:
        versions = Counter([(one.pipeline, one.model_version or NO_VERSION) for one in predictions])
        latencies: dict[str, list[float]] = {}
        for one in predictions:
            if one.received_at is not None:
                latencies.setdefault(one.pipeline, []).append(max(0.0, (now - one.received_at).total_seconds()))
        for (pipeline, version), count in versions.items():
            self._answered[pipeline] += count
            self._meters.count(
                "homeostat_predictions_total", count, service=self._service, pipeline=pipeline, model_version=version
            )
        for pipeline, seconds in latencies.items():
            self._meters.observe_all(
                "homeostat_event_latency_seconds", seconds, service=self._service, pipeline=pipeline
            )

    def _metrics(self, metrics: Metrics) -> None:
        for name, value in metrics.values.items():
            statistic, _, feature = name.partition(".")
            if metrics.family == "performance":
                self._meters.set("homeostat_performance", value, pipeline=metrics.pipeline, metric=name)
            elif metrics.family == "data" and statistic == "psi":
                self._meters.set("homeostat_drift", value, pipeline=metrics.pipeline, feature=feature)

    def _alert(self, alert: Alert) -> None:
        """The first word of a firing counts; the same alert with more evidence is no second one."""
        if alert.state == "resolved":
            self._firing.discard(alert.id)
        elif alert.id not in self._firing:
            self._firing.add(alert.id)
            seconds = max(0.0, (alert.at - alert.since).total_seconds())
            self._meters.observe("homeostat_fault_to_alert_seconds", seconds, pipeline=alert.pipeline, kind=alert.kind)

    def _audit(self, entry: AuditEntry) -> None:
        body = entry.body
        match entry.kind:
            case "command_result" if body.get("state") in FINAL:
                self._meters.count(
                    "homeostat_commands_total",
                    1,
                    pipeline=entry.pipeline,
                    action=str(body.get("action")),
                    outcome=str(body.get("state")),
                )
            case "incident_opened" if "alert_kind" in body:
                self._opened[entry.incident] = entry.at, str(body["alert_kind"])
            case "incident_expired":
                self._opened.pop(entry.incident, None)
            case "incident_resolved" if entry.incident in self._opened:
                opened_at, kind = self._opened.pop(entry.incident)
                seconds = (entry.at - opened_at).total_seconds()
                self._meters.observe("homeostat_alert_to_recovery_seconds", seconds, pipeline=entry.pipeline, kind=kind)
