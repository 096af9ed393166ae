"""Events and labels in."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Annotated, Any

from fastapi import APIRouter, Query, Request
from pydantic import BaseModel

from services.gateway.bodies import items_of
from services.gateway.intake import Intake, Rules, events_of, labels_of
from services.gateway.parts import Needs, Parts
from services.gateway.rest.lookup import pipeline_of
from services.gateway.rest.problems import Problem, pointer_of
from shared.bus.base import Position
from shared.errors import Poison
from shared.messages.data import LONGEST_SOURCE
from shared.topics import RAW_DATA

router = APIRouter(tags=["data"])


class Rejection(BaseModel):
    """One row that was refused: `index` counts the body's rows from 0, `reason` is a kebab-case code.

    `other`, where it is there, is the row of the body that stands under the same id.
    """

    index: int
    id: str | None = None
    reason: str
    field: str | None = None
    detail: str
    other: int | None = None


class Written(BaseModel):
    """Accepted rows as they stand on `raw-data`: one partition's offsets from `first` to `last`."""

    partition: int
    first: int
    last: int


class Accepted(BaseModel):
    """`accepted` rows are durably on Kafka. Rows that break the schema are kept as dead letters.

    `repeated` of the accepted say again what another row of the body says, and are counted once. `ignored` counts
    rows by the name of a field that the pipeline does not have. `written` is what POST …/outcomes is asked with.
    """

    accepted: int
    rejected: list[Rejection]
    repeated: int = 0
    ignored: dict[str, int] = {}
    written: list[Written] = []


Source = Annotated[
    str | None,
    Query(
        min_length=1,
        max_length=LONGEST_SOURCE,
        description="What the rows are said to come from, the unit of quarantine. Default: `key:` and the key's name.",
    ),
]

MOST_ERRORS = 100
"""Rows that `errors` points at; `rejected` has all."""

_ROW = {"type": "object", "additionalProperties": True}
EVENTS_BODY = {
    "requestBody": {
        "required": True,
        "content": {
            "application/json": {"schema": {"oneOf": [_ROW, {"type": "array", "items": _ROW}]}},
            "application/x-ndjson": {"schema": {"type": "string", "description": "one JSON object a line"}},
            "application/cloudevents+json": {"schema": _ROW},
            "application/cloudevents-batch+json": {"schema": {"type": "array", "items": _ROW}},
        },
    }
}


@router.post(
    "/v1/pipelines/{pipeline}/events",
    status_code=202,
    response_model=Accepted,
    response_model_exclude_unset=True,
    openapi_extra=EVENTS_BODY,
)
async def events(pipeline: str, request: Request, parts: Needs, source: Source = None) -> dict[str, Any]:
    """Takes raw events: an object, an array, NDJSON or CloudEvents. A repeated id is counted once."""
    return await _take(pipeline, request, parts, source, events_of)


@router.post(
    "/v1/pipelines/{pipeline}/labels",
    status_code=202,
    response_model=Accepted,
    response_model_exclude_unset=True,
    openapi_extra=EVENTS_BODY,
)
async def labels(pipeline: str, request: Request, parts: Needs, source: Source = None) -> dict[str, Any]:
    """Takes labels, ``{"id", "label", "timestamp"?}``: one, many, NDJSON. The last one for an id counts."""
    return await _take(pipeline, request, parts, source, labels_of)


async def _take(
    pipeline: str, request: Request, parts: Parts, source: str | None, sort: Callable[..., Intake]
) -> dict[str, Any]:
    intake = await sorted_body(pipeline, request, parts, source, sort)
    places = await parts.write([RAW_DATA.of(record) for record in intake.records + intake.broken])
    if intake.rejected and not intake.records:
        many, first = len(intake.rejected), intake.rejected[0]
        detail = f"the row was refused: {first['detail']}"
        if many > 1:
            detail = f"all {many} rows were refused; row {first['index']} because: {first['detail']}"
        errors = errors_of(intake.rejected[:MOST_ERRORS], alone=intake.alone)
        raise Problem(422, "nothing-accepted", detail, errors=errors, accepted=0, rejected=intake.rejected)
    return {
        "accepted": len(intake.records),
        "rejected": intake.rejected,
        "repeated": len(intake.repeated),
        "ignored": dict(intake.ignored),
        "written": runs_in(places[: len(intake.records)]),
    }


def runs_in(places: Sequence[Position]) -> list[dict[str, int]]:
    """The places as runs of offsets that follow each other.

    >>> runs_in([Position("raw-data", 1, 7), Position("raw-data", 0, 3), Position("raw-data", 1, 8)])
    [{'partition': 0, 'first': 3, 'last': 3}, {'partition': 1, 'first': 7, 'last': 8}]
    """
    runs: list[dict[str, int]] = []
    for _, partition, offset in sorted(places):
        if runs and runs[-1]["partition"] == partition and runs[-1]["last"] == offset - 1:
            runs[-1]["last"] = offset
        else:
            runs.append({"partition": partition, "first": offset, "last": offset})
    return runs


def errors_of(rejected: Sequence[Mapping[str, Any]], *, alone: bool) -> list[dict[str, Any]]:
    """Refused rows as the errors of a problem: a pointer into the body, and why. `alone`: the body is the row."""
    return [
        {
            "pointer": pointer_of([*([] if alone else [r["index"]]), *([r["field"]] if r["field"] else [])]),
            "detail": r["detail"],
        }
        for r in rejected
    ]


async def sorted_body(
    pipeline: str, request: Request, parts: Parts, source: str | None, sort: Callable[..., Intake]
) -> Intake:
    """The body's rows, sorted into records and refusals; 400 or 415 where the body as a whole is no good."""
    found = pipeline_of(parts, pipeline)
    source = source or f"key:{request.state.identity.name}"[:LONGEST_SOURCE]
    encoding = request.headers.get("content-encoding", "identity")
    if encoding != "identity":
        detail = f"Content-Encoding {encoding!r} is not taken: send the body as it is, without compression"
        raise Problem(415, "encoding", detail)
    body = await request.body()
    if not body.strip() or b"".join(body[:100].split()) == b"[]":
        raise Problem(400, "empty", "the body has no row: send a JSON object, an array of them, or NDJSON")
    content_type, now = request.headers.get("content-type", ""), parts.now()
    lenient = parts.models.commands.quarantined(pipeline)
    rules = Rules(found.specification, found.contract, parts.settings.event_bytes, lenient)

    def work() -> Intake:
        items = items_of(body, content_type, request.headers)
        alone = len(items) == 1 and body.lstrip().startswith(b"{")
        return replace(sort(items, rules, source=source, now=now), alone=alone)

    try:
        return await asyncio.to_thread(work)
    except Poison as error:
        raise Problem(400, error.reason, error.detail) from error
