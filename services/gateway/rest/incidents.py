"""Alerts, incidents, the ledger, dead letters: what is wrong and what is being done."""

from __future__ import annotations

import asyncio
from typing import Annotated, Any, Literal

from fastapi import APIRouter, Query
from fastapi.responses import Response

from services.gateway.parts import Needs, Parts
from services.gateway.readmodel.cards import postmortem_of
from services.gateway.readmodel.entry import entry_of
from services.gateway.readmodel.incidents import CLOSED
from services.gateway.readmodel.ledger import shown
from services.gateway.rest.lookup import incident_of
from shared.topics import AUDIT

router = APIRouter(tags=["incidents"])

ENDED = (*CLOSED, "escalated")
"""States in which the ledger's newest post-mortem tells all; in any other, more has happened since."""

Pipeline = Annotated[str | None, Query(description="Only this pipeline's.")]
Limit = Annotated[int, Query(ge=1, le=5000)]


@router.get("/v1/alerts")
async def alerts(
    parts: Needs,
    pipeline: Pipeline = None,
    state: Literal["firing", "resolved"] | None = None,
    kind: str | None = None,
    limit: Limit = 200,
) -> dict[str, Any]:
    """Alerts, firing first, then newest first."""
    return {"alerts": parts.models.alerts.select(pipeline=pipeline, state=state, kind=kind, limit=limit)}


@router.get("/v1/incidents")
async def incidents(
    parts: Needs, pipeline: Pipeline = None, state: str | None = None, limit: Limit = 100
) -> dict[str, Any]:
    """Incidents, newest first; `state=open` takes all that are not closed."""
    return {"incidents": parts.models.incidents.select(pipeline=pipeline, state=state, limit=limit)}


@router.get("/v1/incidents/{incident}")
async def incident(incident: str, parts: Needs) -> dict[str, Any]:
    """One incident: every step from alert to outcome, each with topic, partition and offset."""
    return parts.models.incidents.view(incident_of(parts, incident))


@router.get(
    "/v1/incidents/{incident}/postmortem",
    response_class=Response,
    responses={200: {"content": {"text/markdown": {"schema": {"type": "string"}}}}},
)
async def postmortem(incident: str, parts: Needs) -> Response:
    """The incident's story, in Markdown; the remediator's own where it is over or a person's."""
    found = incident_of(parts, incident)
    told = next((e.message.body["postmortem"] for e in reversed(found.entries) if "postmortem" in e.message.body), None)
    newest = isinstance(told, str) and found.state in ENDED
    text = told if newest else postmortem_of(parts.models.incidents.view(found))
    return Response(text, media_type="text/markdown; charset=utf-8")


@router.get("/v1/audit")
async def audit(
    parts: Needs,
    after: Annotated[int, Query(ge=-1, description="Entries with a higher sequence than this.")] = -1,
    limit: Limit = 1000,
) -> dict[str, Any]:
    """The ledger in order, exactly as hashed: page on with the last entry's sequence as `after`."""
    if parts.models.ledger.holds(after + 1):
        return {"entries": parts.models.ledger.page(after, limit)}
    return {"entries": await asyncio.to_thread(_from_log, parts, after, limit)}


@router.get("/v1/dead-letters")
async def dead_letters(
    parts: Needs,
    pipeline: Pipeline = None,
    reason: str | None = None,
    limit: Annotated[int, Query(ge=1, le=2000)] = 100,
) -> dict[str, Any]:
    """The newest records that were refused, and counts by pipeline and reason since the gateway started."""
    book = parts.models.dead_letters
    counts = [{"pipeline": name, "reason": why, "count": count} for (name, why), count in sorted(book.counts.items())]
    return {"counts": counts, "dead_letters": book.select(pipeline=pipeline, reason=reason, limit=limit)}


def _from_log(parts: Parts, after: int, limit: int) -> list[dict[str, Any]]:
    start, stop = parts.models.ledger.range_of(after, limit)
    reader = parts.bus.reader("gateway-audit")
    try:
        records = [r for chunk in reader.read(parts.full_name(AUDIT.name), 0, start, stop) for r in chunk]
    finally:
        reader.close()
    entries = (entry_of(AUDIT, record) for record in records)
    return [shown(entry) for entry in entries if entry.message.sequence > after][:limit]
