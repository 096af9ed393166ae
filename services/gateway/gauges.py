"""What the read models say, as Prometheus gauges."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping

from services.gateway.service import ReadModels
from shared.runtime.meter import Meter

Gauges = dict[tuple[str, tuple[tuple[str, str], ...]], float]


def expose(models: ReadModels, meter: Meter, lag: Mapping[str, int]) -> None:
    """Sets the gauges to what is known now."""
    meter.expose("gateway", gauges_of(models))
    for topic, waiting in lag.items():
        meter.meters.set("homeostat_lag_records", waiting, service="gateway", topic=topic)
    meter.meters.set("homeostat_memory_bytes", meter.rss(), service="gateway")


def gauges_of(models: ReadModels) -> Gauges:
    """Live versions, firing alerts and open incidents. The monitor exposes its own windows itself."""
    gauges: Gauges = {}
    for pipeline in models.pipelines.all():
        name = pipeline.defined.pipeline
        live = models.models.live(name)
        if live is not None:
            gauges["homeostat_live_version", (("pipeline", name), ("model_version", live["version"]))] = 1.0
        gauges["homeostat_incidents_open", (("pipeline", name),)] = float(models.incidents.open_in(name))
    firing = Counter((alert.pipeline, alert.kind) for alert in models.alerts.firing())
    for (name, kind), count in firing.items():
        gauges["homeostat_alerts_firing", (("pipeline", name), ("kind", kind))] = float(count)
    return gauges
