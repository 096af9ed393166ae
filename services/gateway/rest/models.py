"""Versions, which was live and why, cards and lineage."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Any

import msgspec
from fastapi import APIRouter, Header, Query
from fastapi.responses import PlainTextResponse, Response

from services.gateway.parts import Needs
from services.gateway.readmodel.cards import card_of
from services.gateway.rest.lookup import no_model, pipeline_of, version_of
from services.gateway.rest.problems import Problem

router = APIRouter(prefix="/v1/pipelines/{pipeline}/models", tags=["models"])

At = Annotated[datetime | None, Query(description="A time, RFC 3339; default: now.")]


@router.get("")
async def versions(pipeline: str, parts: Needs) -> dict[str, Any]:
    """Every version, newest publication first, and which one is live."""
    pipeline_of(parts, pipeline)
    found = parts.models.models.versions(pipeline)
    return {
        "pipeline": pipeline,
        "live": parts.models.models.live(pipeline),
        "models": [version.view for version in found],
    }


@router.get("/live")
async def live(pipeline: str, parts: Needs, at: At = None) -> dict[str, Any]:
    """The version that answers, or answered at a time, and why it does."""
    pipeline_of(parts, pipeline)
    if at is not None and at.tzinfo is None:
        raise Problem(422, "invalid", "`at` has no time zone: write RFC 3339, as 2026-01-31T12:00:00Z")
    found = parts.models.models.live(pipeline, at)
    if found is None:
        detail, seen = no_model(parts, pipeline, "yet" if at is None else f"at {at.isoformat()}")
        raise Problem(404, "no-model", detail, **seen)
    return {"pipeline": pipeline, **found}


@router.get("/history")
async def history(pipeline: str, parts: Needs) -> dict[str, Any]:
    """Every publication in order: which version took which stage when, and why."""
    pipeline_of(parts, pipeline)
    events = [
        {
            "version": entry.message.version,
            "stage": entry.message.stage,
            "weight": entry.message.weight,
            "at": entry.at.isoformat(),
            "reason": entry.message.reason,
            "previous": entry.message.previous,
            "command": entry.message.command,
            "incident": entry.message.incident,
            **entry.place,
        }
        for entry in parts.models.models.events(pipeline)
    ]
    return {"pipeline": pipeline, "events": events}


@router.get("/{version}")
async def one(pipeline: str, version: str, parts: Needs) -> dict[str, Any]:
    """One version: what made it, how it did at the gate, the stage it has."""
    return version_of(parts, pipeline, version).full


@router.get("/{version}/lineage")
async def lineage(pipeline: str, version: str, parts: Needs) -> dict[str, Any]:
    """The address of everything that made it: train again from it and compare."""
    full = version_of(parts, pipeline, version).full
    return {name: full[name] for name in ("pipeline", "version", "lineage", "artifact", "features", "definition")}


@router.get(
    "/{version}/card",
    response_class=PlainTextResponse,
    responses={200: {"content": {"text/markdown": {}, "application/json": {}}}},
)
async def card(pipeline: str, version: str, parts: Needs, accept: Annotated[str, Header()] = "*/*") -> Response:
    """The model card: Markdown, or JSON where that is asked for."""
    found = version_of(parts, pipeline, version)
    if "application/json" in accept:
        return Response(msgspec.json.encode(found.full), media_type="application/json")
    about = pipeline_of(parts, pipeline).specification.about
    return Response(card_of(found.full, about), media_type="text/markdown; charset=utf-8")
