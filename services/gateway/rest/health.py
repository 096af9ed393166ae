"""Liveness, readiness, status by part, Prometheus."""

from __future__ import annotations

from typing import Any

from fastapi import APIRouter
from fastapi.responses import JSONResponse, PlainTextResponse, Response

from services.gateway.exposure import metrics_text, missing
from services.gateway.parts import Needs, Parts
from services.gateway.readmodel.pipelines import Pipeline

router = APIRouter(tags=["health"])


@router.get("/livez")
async def livez() -> dict[str, str]:
    """The process answers."""
    return {"status": "alive"}


@router.get("/readyz", responses={503: {"description": "Not ready: `parts` says what is missing."}})
async def readyz(parts: Needs) -> Response:
    """Whether what was in the log is folded and Kafka answers."""
    needs = missing(parts)
    ready = set(needs.values()) == {"ok"}
    body = {"status": "ready" if ready else "not ready", "parts": needs}
    return JSONResponse(body, 200 if ready else 503)


@router.get("/v1/status")
async def status(parts: Needs) -> dict[str, Any]:
    """Everything at a glance: services, pipelines with their live version, open incidents, firing alerts."""
    models, now = parts.models, parts.now()
    return {
        "at": now.isoformat(),
        "kafka": missing(parts)["kafka"],
        "services": models.health.view(now),
        "pipelines": [_pipeline(parts, pipeline) for pipeline in models.pipelines.all()],
        "incidents": models.incidents.select(pipeline=None, state="open"),
        "alerts_firing": len(models.alerts.firing()),
    }


@router.get("/metrics", response_class=PlainTextResponse)
async def metrics(parts: Needs) -> Response:
    """This process's metrics, in Prometheus's text format."""
    return Response(metrics_text(parts), media_type="text/plain; version=0.0.4; charset=utf-8")


def _pipeline(parts: Parts, pipeline: Pipeline) -> dict[str, Any]:
    name, metric = pipeline.defined.pipeline, pipeline.specification.main_metric
    rows, labelled = parts.models.metrics.totals(name)
    live = parts.models.models.live(name)
    measured = parts.models.metrics.newest(name, "performance", lambda window: metric in window.values)
    estimated = parts.models.metrics.newest(name, "estimate", lambda window: metric in window.values)
    firing = [alert for alert in parts.models.alerts.firing() if alert.pipeline == name]
    late = any(alert.evidence.statistic == "label_completeness" for alert in firing)
    return {
        "pipeline": name,
        "kind": pipeline.specification.kind,
        "version": pipeline.defined.version,
        "live_version": None if live is None else live["version"],
        "live_since": None if live is None else live["at"],
        "rows_seen": rows,
        "labelled_seen": labelled,
        "rows_needed": pipeline.specification.models.min_rows,
        "metric": metric,
        "value": None if measured is None else measured.values[metric],
        "value_version": None if measured is None else measured.model_version or None,
        "estimated": None if estimated is None else estimated.values[metric],
        "counts": "estimated" if late else "measured",
        "hold": parts.models.commands.hold(name),
        "alerts_firing": len(firing),
        "incidents_open": parts.models.incidents.open_in(name),
        "per_second": parts.models.predictions.per_second(name, parts.now()),
        "unanswered": parts.models.predictions.unanswered(name),
    }
