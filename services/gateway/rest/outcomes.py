"""What became of rows that were accepted: POST …/outcomes, asked with the `written` of their answers."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Sequence
from functools import partial
from typing import Annotated, Any

from fastapi import APIRouter, Query
from pydantic import BaseModel, ConfigDict, Field

from services.gateway.backlog import Backlog
from services.gateway.outcomes import Kind, OtherKindError, Outcomes, RowGoneError, outcomes_of, rows_at
from services.gateway.parts import Needs, Parts
from services.gateway.readmodel.pipelines import Pipeline
from services.gateway.rest.data import Written
from services.gateway.rest.lookup import pipeline_of
from services.gateway.rest.problems import Problem, pointer_of
from shared.clock import monotonic
from shared.messages import DeadLetter

router = APIRouter(tags=["data"])

MOST_ROWS = 100_000
EXAMPLES = 5
READ_SECONDS = 10.0
LOOK_SECONDS = 0.2
YOUNG_SECONDS = 60.0
ANSWER_SECONDS = 2.0
"""How much longer than its features an event's answer may take: labels know events by their answers here."""

Wait = Annotated[float, Query(ge=0, le=15, description="Seconds to wait for rows that are not decided yet.")]


class Question(BaseModel):
    """Rows of one kind, by the `written` of the answers that accepted them: 100,000 at most."""

    model_config = ConfigDict(extra="forbid")
    kind: Kind = "events"
    written: list[Written] = Field(min_length=1, max_length=10_000)


@router.post("/v1/pipelines/{pipeline}/outcomes")
async def outcomes(pipeline: str, body: Question, parts: Needs, wait: Wait = 0.0) -> dict[str, Any]:
    """What became of accepted rows: taken, repeated (the same id and values: counted once), refused, or still pending.

    Of labels also how many are of ids that no event the gateway remembers has: they count once their event comes.
    429 where too many questions are looked up at once.
    """
    found, places = pipeline_of(parts, pipeline), _places(body.written)
    deadline = monotonic() + wait
    with parts.searches.one():
        log = Backlog(parts.bus, parts.full_name, deadline + READ_SECONDS, written=True)
        try:
            came_to = await _followed(log, found, body.kind, places, parts, deadline)
        finally:
            await parts.searches.run(log.close)
    shown = _shown(came_to, sum(map(len, places.values())))
    return shown | (await _without_event(parts, pipeline, came_to.ids, wait) if body.kind == "labels" else {})


def _places(written: Sequence[Written]) -> dict[int, set[int]]:
    for index, run in enumerate(written):
        if run.last < run.first:
            fault = {"pointer": pointer_of(["written", index]), "detail": "`last` is before `first`"}
            raise Problem(422, "invalid", "a run's `last` is before its `first`", errors=[fault])
    count = sum(run.last - run.first + 1 for run in written)
    if count > MOST_ROWS:
        raise Problem(413, "too-large", f"{count} rows; ask for at most {MOST_ROWS} at once")
    places: dict[int, set[int]] = {}
    for run in written:
        places.setdefault(run.partition, set()).update(range(run.first, run.last + 1))
    return places


async def _followed(
    log: Backlog, pipeline: Pipeline, kind: Kind, places: dict[int, set[int]], parts: Parts, deadline: float
) -> Outcomes:
    """Looks until all is decided, at the latest until `deadline`."""
    name, defined = pipeline.defined.pipeline, pipeline.defined.at
    young = (parts.now() - defined).total_seconds() < YOUNG_SECONDS
    defined_ms = int(defined.timestamp() * 1000) if young else None
    try:
        rows = await parts.searches.run(partial(rows_at, log, name, kind, places))
    except RowGoneError as gone:
        detail = f"no row of {name} is at {gone}, or it is no longer kept: give the `written` of an answer"
        raise Problem(404, "not-found", detail) from gone
    except OtherKindError as other:
        detail = f"the row at {other} is one of {other.kind}: ask with kind={other.kind!r}"
        raise Problem(422, "other-kind", detail, errors=[{"pointer": "#/kind", "detail": detail}]) from other
    while True:
        log.renew()
        came_to = await parts.searches.run(partial(outcomes_of, log, name, kind, rows, defined_ms))
        left = deadline - monotonic()
        if not came_to.pending or left <= 0:
            return came_to
        await asyncio.sleep(min(LOOK_SECONDS, left))


def _shown(came_to: Outcomes, rows: int) -> dict[str, Any]:
    return {
        "rows": rows,
        "pending": came_to.pending,
        "taken": len(came_to.ids),
        "repeated": came_to.repeated,
        "refused": dict(Counter(letter.reason for letter in came_to.refused)),
        "examples": [_example(letter) for letter in came_to.refused[:EXAMPLES]],
    }


def _example(letter: DeadLetter) -> dict[str, Any]:
    return {"id": letter.id, "reason": letter.reason, "field": letter.field, "detail": letter.detail}


async def _without_event(parts: Parts, pipeline: str, ids: Sequence[str], wait: float) -> dict[str, Any]:
    book, deadline = parts.models.predictions, monotonic() + min(wait, ANSWER_SECONDS)
    unknown = [event for event in ids if book.place(pipeline, event) is None]
    while unknown and monotonic() < deadline:
        await asyncio.sleep(LOOK_SECONDS)
        unknown = [event for event in unknown if book.place(pipeline, event) is None]
    known = {"events_known": book.known(pipeline), "all_known": book.knows_all(pipeline)}
    return {"without_event": {"rows": len(unknown), "ids": unknown[:EXAMPLES]} | known}
