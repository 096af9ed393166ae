"""What a path names, or 404 that says so."""

from __future__ import annotations

from typing import Any

from services.gateway.parts import Parts
from services.gateway.readmodel.incidents import Incident
from services.gateway.readmodel.models import Version
from services.gateway.readmodel.pipelines import Pipeline
from services.gateway.rest.problems import Problem, not_found


def pipeline_of(parts: Parts, name: str) -> Pipeline:
    found = parts.models.pipelines.get(name)
    if found is None and not parts.follower.ready.is_set():
        why = "the gateway is starting: it reads the log and knows no pipelines yet; /readyz says how far it is"
        raise Problem(503, "unavailable", why, headers={"Retry-After": "1"})
    if found is None:
        known = [pipeline.defined.pipeline for pipeline in parts.models.pipelines.all()]
        raise not_found("pipeline", name, "/v1/pipelines", known)
    return found


def no_model(parts: Parts, name: str, when: str = "yet") -> tuple[str, dict[str, Any]]:
    """What to say where no version is live, and how many rows and labelled rows there are."""
    specification = pipeline_of(parts, name).specification
    rows, labelled = parts.models.metrics.totals(name)
    needed = f"{specification.models.min_rows} rows"
    by_rows = specification.kind == "anomaly"
    needed += f", and {rows:,} have come" if by_rows else f" that have a label, and {labelled:,} have one"
    detail = f"no version of {name} was live {when}: the first is trained at {needed}"
    return detail, {"rows_seen": rows, "labelled_seen": labelled}


def version_of(parts: Parts, pipeline: str, version: str) -> Version:
    pipeline_of(parts, pipeline)
    found = parts.models.models.version(pipeline, version)
    if found is None:
        raise not_found(f"version of {pipeline}", version, f"/v1/pipelines/{pipeline}/models")
    return found


def incident_of(parts: Parts, incident: str) -> Incident:
    found = parts.models.incidents.get(incident)
    if found is None:
        raise not_found("incident", incident, "/v1/incidents")
    return found
