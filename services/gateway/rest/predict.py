"""Predict: rows go the way of every event, and are answered from `predictions` as they come by.

Why: docs/decisions/0002-predict-goes-through-the-stream.md.
"""

from __future__ import annotations

import asyncio
import hashlib
import json
from collections.abc import Mapping
from functools import partial
from typing import Annotated, Any

from fastapi import APIRouter, Query, Request

from services.gateway.intake import events_of
from services.gateway.parts import Needs, Parts
from services.gateway.rest.data import EVENTS_BODY, sorted_body
from services.gateway.rest.problems import Problem, pointer_of
from services.gateway.waiting import Answer
from shared.clock import fresh_id
from shared.messages import DeadLetter, Prediction, RawRecord
from shared.topics import RAW_DATA

router = APIRouter(tags=["data"])

Timeout = Annotated[float | None, Query(gt=0, le=60, description="Seconds to wait for the answer.")]


@router.post("/v1/pipelines/{pipeline}/predict", openapi_extra=EVENTS_BODY)
async def predict(
    pipeline: str, request: Request, parts: Needs, source: str = "predict", timeout: Timeout = None
) -> dict[str, Any]:
    """Plain rows in, plain predictions out, in the rows' order. 504 says which are still to come.

    A row with an id is that event: asked again, it is answered as before. A row without one is a
    new event and gets an id, to which a label can be sent later.
    """
    records = await _records(pipeline, request, parts, source)
    answers = await _answers(parts, records, timeout or parts.settings.predict_seconds)
    found = [_shown(record.id, answers.get(record.id)) for record in records]
    missing = [record.id for record in records if record.id not in answers]
    if missing:
        raise Problem(
            504,
            "still-to-come",
            f"{len(missing)} of {len(records)} predictions have not come in time. New rows "
            f"will still be answered at /v1/pipelines/{pipeline}/predictions/stream; a row whose id was sent before "
            "counts once and is not answered again: send it without an id, or with a new one",
            predictions=[entry for entry in found if entry["id"] not in missing],
            missing=missing,
        )
    return {"predictions": found}


async def _records(pipeline: str, request: Request, parts: Parts, source: str) -> list[RawRecord]:
    intake = await sorted_body(pipeline, request, parts, source, partial(events_of, name=_fresh))
    if intake.rejected:
        errors = [
            {"pointer": pointer_of([r["index"], *([r["field"]] if r["field"] else [])]), "detail": r["detail"]}
            for r in intake.rejected
        ]
        raise Problem(
            422, "invalid", f"{len(errors)} rows break the schema of {pipeline}; none was sent", errors=errors
        )
    if len(intake.records) > parts.settings.rows:
        detail = f"{len(intake.records)} rows; at most {parts.settings.rows} are predicted at once"
        raise Problem(413, "too-large", detail)
    return intake.records


def _fresh(*_: object) -> str:
    """Each row asked for without an id is an event of its own: windows by key may differ since the last."""
    return fresh_id("predict")


async def _answers(parts: Parts, records: list[RawRecord], timeout: float) -> dict[str, Answer]:
    """By event id. Registered as waiting before the rows are sent, so that no answer can slip by."""
    answers: dict[str, Answer] = {}
    waiting: dict[str, asyncio.Future[Answer]] = {}
    for record in records:
        known = parts.models.predictions.get(record.pipeline, record.id)
        if parts.waiters.asked_before(record.pipeline, record.id, _digest(record.values)) and known is not None:
            answers[record.id] = known
        elif record.id not in waiting:
            waiting[record.id] = parts.waiters.wait(record.pipeline, record.id)
    try:
        await parts.write([RAW_DATA.of(record) for record in records if record.id in waiting])
        if waiting:
            await asyncio.wait(waiting.values(), timeout=timeout)
    finally:
        for event, future in waiting.items():
            if future.done() and not future.cancelled():
                answers[event] = future.result()
            future.cancel()
    for record in records:  # sent earlier as an event: ingest counted it once, and its answer came then
        known = parts.models.predictions.get(record.pipeline, record.id)
        if record.id not in answers and known is not None:
            answers[record.id] = known
    return answers


def _digest(values: Mapping[str, object]) -> str:
    return hashlib.sha256(json.dumps(values, sort_keys=True, default=str).encode()).hexdigest()


def _shown(event: str, answer: Answer | None) -> dict[str, Any]:
    if isinstance(answer, DeadLetter):
        error = {"reason": answer.reason, "detail": answer.detail, "field": answer.field}
        return {"id": event, "prediction": None, "model_version": "", "error": error}
    return {"id": event} if answer is None else shown(answer)


def shown(answer: Prediction) -> dict[str, Any]:
    """A prediction as clients see it: without its place in the log and the shadows' answers."""
    view: dict[str, Any] = {
        "id": answer.id,
        "prediction": answer.prediction,
        "model_version": answer.model_version,
        "role": answer.role,
        "at": answer.at.isoformat(),
    }
    for name in ("probabilities", "score", "reason"):
        value = getattr(answer, name)
        if value is not None:
            view[name] = value
    return view | ({"withheld": list(answer.withheld)} if answer.withheld else {})
