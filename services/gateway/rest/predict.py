"""Predict: rows go the way of every event, and are answered from `predictions` as they come by.

Why: docs/decisions/0002-predict-goes-through-the-stream.md.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from functools import partial
from typing import Annotated, Any

from fastapi import APIRouter, Query, Request

from services.gateway.answered import Gone
from services.gateway.asking import Asking, Outcome, Refusal
from services.gateway.intake import events_of
from services.gateway.parts import Needs, Parts
from services.gateway.readmodel.pipelines import Pipeline
from services.gateway.rest.data import EVENTS_BODY, Source, errors_of, sorted_body
from services.gateway.rest.lookup import no_model, pipeline_of
from services.gateway.rest.problems import Problem, pointer_of
from shared.clock import fresh_id
from shared.messages import DeadLetter, Prediction, RawRecord

router = APIRouter(tags=["data"])

_SOON = {"Retry-After": "5"}
CONFLICTS = ("id-conflict", "answered-before")

Timeout = Annotated[float | None, Query(gt=0, le=60, description="Seconds to wait for the answer.")]


@router.post("/v1/pipelines/{pipeline}/predict", openapi_extra=EVENTS_BODY)
async def predict(
    pipeline: str, request: Request, parts: Needs, source: Source = None, timeout: Timeout = None
) -> dict[str, Any]:
    """Plain rows in, plain predictions out, in the rows' order. 504 says which are still to come.

    A row with an id is that event: asked again, it is answered as before and counts once; another row
    under its id is refused (409 where no row could be answered). A row without an id is a new event
    and gets an id, to which a label can be sent later. Before a first version is live nothing is taken:
    503, for an id keeps the answer it gets.
    """
    found = pipeline_of(parts, pipeline)
    records, fresh = await _records(found, request, parts, source)
    if parts.models.models.live(pipeline) is None:
        detail, seen = no_model(parts, pipeline)
        raise Problem(503, "no-model", f"{detail}; nothing was sent", headers=_SOON, part="model", **seen)
    asking = Asking(
        waiters=parts.waiters,
        answered=parts.answered,
        write=parts.write,
        pipeline=found,
        fresh=fresh,
        patience=parts.settings.patience_seconds,
    )
    outcomes = await asking.outcomes(records, timeout or parts.settings.predict_seconds)
    shown_rows = [_shown(record.id, outcomes.get(record.id)) for record in records]
    missing = [record.id for record in records if record.id not in outcomes]
    if missing:
        raise _too_late(pipeline, shown_rows, missing)
    refused = [row for row in shown_rows if "error" in row]
    if refused and len(refused) == len(shown_rows):
        raise _all_refused(shown_rows)
    return {"predictions": shown_rows}


async def _records(
    pipeline: Pipeline, request: Request, parts: Parts, source: str | None
) -> tuple[list[RawRecord], Collection[str]]:
    """The rows to ask for, and those ids that are new because the rows came without one."""
    fresh: set[str] = set()

    def name(*_: object) -> str:
        """Each row asked for without an id is an event of its own: windows by key may differ since the last."""
        fresh.add(made := fresh_id("predict"))
        return made

    intake = await sorted_body(pipeline.defined.pipeline, request, parts, source, partial(events_of, name=name))
    errors = errors_of(intake.rejected, alone=intake.alone) or _repeats(intake.records)
    if errors:
        many, rows = len(errors), len(intake.rejected) + len(intake.records)
        detail = f"{many} of {rows} rows cannot be asked about {pipeline.defined.pipeline}; none was sent"
        raise Problem(422, "invalid", detail, errors=errors)
    if len(intake.records) > parts.settings.rows:
        detail = f"{len(intake.records)} rows; at most {parts.settings.rows} are predicted at once"
        raise Problem(413, "too-large", detail)
    return intake.records, fresh


def _repeats(records: Sequence[RawRecord]) -> list[dict[str, Any]]:
    """Rows that stand under the id of another row before them."""
    first: dict[str, RawRecord] = {}
    return [
        {"pointer": pointer_of([index]), "detail": f"the id {record.id!r} already stands for another row of the body"}
        for index, record in enumerate(records)
        if first.setdefault(record.id, record).values != record.values
    ]


def _too_late(pipeline: str, rows: Sequence[dict[str, Any]], missing: Sequence[str]) -> Problem:
    detail = (
        f"{len(missing)} of {len(rows)} predictions have not come in time. They will still appear at "
        f"/v1/pipelines/{pipeline}/predictions/stream; the same rows under the same ids may be asked for again"
    )
    found = [row for row in rows if row["id"] not in missing]
    return Problem(504, "still-to-come", detail, predictions=found, missing=missing)


def _all_refused(rows: Sequence[dict[str, Any]]) -> Problem:
    """409 where every row stands under the id of another one, else 422."""
    errors = [
        {"pointer": pointer_of([index]), "detail": row["error"]["detail"], "reason": row["error"]["reason"]}
        for index, row in enumerate(rows)
    ]
    conflict = all(error["reason"] in CONFLICTS for error in errors)
    code = errors[0]["reason"] if len({error["reason"] for error in errors}) == 1 else "refused"
    return Problem(409 if conflict else 422, code, errors[0]["detail"], errors=errors, predictions=list(rows))


def _shown(event: str, outcome: Outcome | None) -> dict[str, Any]:
    if isinstance(outcome, Gone):
        detail = (
            f"the id {event!r} was answered at {outcome.answer.at.isoformat()}; the row it was answered for is no "
            "longer kept, so this one cannot be held against it: send it without an id, or with a new one"
        )
        outcome = Refusal("answered-before", detail)
    if isinstance(outcome, DeadLetter | Refusal):
        error = {"reason": outcome.reason, "detail": outcome.detail, "field": outcome.field}
        return {"id": event, "prediction": None, "model_version": "", "error": error}
    return {"id": event} if outcome is None else shown(outcome)


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
