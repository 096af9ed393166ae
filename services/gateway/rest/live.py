"""Server-sent events. Each event's id is the place after it in the log: `Last-Event-ID` resumes there."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from typing import Annotated, Any

import msgspec
from fastapi import APIRouter, Header, Query
from sse_starlette import EventSourceResponse, ServerSentEvent

from services.gateway.parts import Needs, Parts
from services.gateway.readmodel.entry import Entry, plain
from services.gateway.rest.lookup import pipeline_of
from services.gateway.rest.predict import shown
from services.gateway.rest.problems import Problem
from services.gateway.stream import Vector, text_of, vector_of

router = APIRouter(tags=["live"])

EVENTS = {
    "predictions": "prediction",
    "alerts": "alert",
    "audit": "incident",
    "metrics": "metrics",
    "model-published": "model",
    "telemetry": "health",
    "pipelines": "pipeline",
    "commands": "command",
    "command-results": "command_result",
    "dead-letters": "dead_letter",
}
DASHBOARD = ("alerts", "audit", "metrics", "model-published", "telemetry", "pipelines", "commands", "command-results")
SEND_SECONDS = 30.0
FAREWELL_SECONDS = 2.0
"""How long a stream may take to end by itself when the gateway does; a client that does not read is cut off."""


LastEventId = Annotated[str | None, Header(description="The id of the last event seen: the stream goes on after it.")]
After = Annotated[str | None, Query(description="As Last-Event-ID, for clients that cannot set headers.")]
SSE: dict[int | str, dict[str, Any]] = {200: {"content": {"text/event-stream": {"schema": {"type": "string"}}}}}


@router.get("/v1/pipelines/{pipeline}/predictions/stream", response_class=EventSourceResponse, responses=SSE)
async def predictions(
    pipeline: str, parts: Needs, last_event_id: LastEventId = None, after: After = None
) -> EventSourceResponse:
    """Each prediction of the pipeline, as `prediction`."""
    pipeline_of(parts, pipeline)
    return _stream(parts, ("predictions",), last_event_id or after, lambda e: e.message.pipeline == pipeline)


@router.get("/v1/pipelines/{pipeline}/metrics/stream", response_class=EventSourceResponse, responses=SSE)
async def metrics(
    pipeline: str, parts: Needs, last_event_id: LastEventId = None, after: After = None
) -> EventSourceResponse:
    """Each window of metrics of the pipeline, revisions too, as `metrics`."""
    pipeline_of(parts, pipeline)
    return _stream(parts, ("metrics",), last_event_id or after, lambda e: e.message.pipeline == pipeline)


@router.get("/v1/alerts/stream", response_class=EventSourceResponse, responses=SSE)
async def alerts(
    parts: Needs, pipeline: str | None = None, last_event_id: LastEventId = None, after: After = None
) -> EventSourceResponse:
    """Each alert as it begins, grows and ends, as `alert`."""
    return _stream(parts, ("alerts",), last_event_id or after, _of(pipeline))


@router.get("/v1/incidents/stream", response_class=EventSourceResponse, responses=SSE)
async def incidents(
    parts: Needs, pipeline: str | None = None, last_event_id: LastEventId = None, after: After = None
) -> EventSourceResponse:
    """Each step of each incident as the ledger takes it down, as `incident`."""
    of = _of(pipeline)
    return _stream(parts, ("audit",), last_event_id or after, lambda e: bool(e.message.incident) and of(e))


@router.get("/v1/stream", response_class=EventSourceResponse, responses=SSE)
async def everything(parts: Needs, last_event_id: LastEventId = None, after: After = None) -> EventSourceResponse:
    """All control topics in one stream, as the dashboard reads it."""
    return _stream(parts, DASHBOARD, last_event_id or after, lambda _: True)


def _of(pipeline: str | None) -> Callable[[Entry[Any]], bool]:
    return lambda entry: pipeline in (None, entry.message.pipeline)


def _stream(
    parts: Parts, topics: tuple[str, ...], last_event_id: str | None, wanted: Callable[[Entry[Any]], bool]
) -> EventSourceResponse:
    after = _place(last_event_id, topics)
    if parts.hub.subscribers >= parts.settings.streams:
        detail = f"{parts.settings.streams} live streams are open, and that is the limit"
        raise Problem(429, "overloaded", detail, headers={"Retry-After": "5"})
    return EventSourceResponse(
        _events(parts, topics, after, wanted),
        ping=15,
        send_timeout=SEND_SECONDS,
        shutdown_grace_period=FAREWELL_SECONDS,
    )


def _place(text: str | None, topics: tuple[str, ...]) -> Vector | None:
    if not text:
        return None
    try:
        place = vector_of(text)
    except ValueError as error:
        raise Problem(400, "bad-event-id", str(error)) from error
    foreign = sorted({topic for topic, _ in place} - set(topics))
    if foreign:
        raise Problem(400, "bad-event-id", f"the id speaks of {', '.join(foreign)}: it is of another stream")
    return place


async def _events(
    parts: Parts, topics: tuple[str, ...], after: Vector | None, wanted: Callable[[Entry[Any]], bool]
) -> AsyncIterator[ServerSentEvent]:
    # An id without data sets the client's Last-Event-ID: one that is cut off before its first event resumes too.
    yield ServerSentEvent(id=text_of(parts.streams.now(topics) | (after or {})), retry=1000)
    async for entry, vector in parts.streams.entries(topics, after, wanted):
        yield ServerSentEvent(event=EVENTS[entry.topic], id=text_of(vector), data=_data(entry))


def _data(entry: Entry[Any]) -> str:
    if entry.topic == "predictions":
        return msgspec.json.encode(shown(entry.message) | entry.place).decode()
    return msgspec.json.encode(plain(entry.message) | entry.place).decode()
