"""Windows of metrics, and a pipeline's newest predictions."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Annotated, Any, Literal

from fastapi import APIRouter, Query

from services.gateway.parts import Needs
from services.gateway.readmodel.metrics import WINDOWS_KEPT, Selection
from services.gateway.rest.lookup import pipeline_of
from services.gateway.rest.predict import shown
from services.gateway.rest.problems import Problem

router = APIRouter(prefix="/v1/pipelines/{pipeline}", tags=["metrics"])

Family = Literal["performance", "estimate", "data", "service"]
Bound = Annotated[str | None, Query(description="A row number, counted from 0, or a time (RFC 3339); inclusive.")]
Names = Annotated[list[str], Query(alias="name", description="Only these values; `psi` stands for all of psi.*")]


@router.get("/metrics")
async def metrics(
    pipeline: str,
    parts: Needs,
    names: Names = [],  # noqa: B006 - FastAPI copies it
    family: Annotated[list[Family], Query()] = [],  # noqa: B006
    begin: Annotated[Bound, Query(alias="from")] = None,
    end: Annotated[Bound, Query(alias="to")] = None,
    limit: Annotated[int, Query(ge=1, le=WINDOWS_KEPT)] = 1000,
    spread: Annotated[bool, Query(description="So many over the whole stretch, instead of the newest.")] = False,
) -> dict[str, Any]:
    """Windows in order of rows, the newest `limit` of those asked for; each window's newest revision."""
    found = pipeline_of(parts, pipeline)
    wanted = tuple(part for name in names for part in name.split(","))
    selection = Selection(frozenset(family), wanted, bound_of(begin, "from"), bound_of(end, "to"), limit, spread)
    rows, labelled = parts.models.metrics.totals(pipeline)
    return {
        "pipeline": pipeline,
        "main_metric": found.specification.main_metric,
        "rows_seen": rows,
        "labelled_seen": labelled,
        "windows": parts.models.metrics.select(pipeline, selection),
    }


@router.get("/predictions")
async def predictions(pipeline: str, parts: Needs, limit: Annotated[int, Query(ge=1, le=2000)] = 50) -> dict[str, Any]:
    """The newest predictions, newest first, and how many come per second."""
    pipeline_of(parts, pipeline)
    book, now = parts.models.predictions, parts.now()
    return {
        "pipeline": pipeline,
        "per_second": book.per_second(pipeline, now),
        "last_minute": book.history(pipeline, now),
        "predictions": [shown(prediction) for prediction in book.newest(pipeline, limit)],
    }


def bound_of(text: str | None, name: str) -> int | datetime | None:
    """A row number or a time; `Problem` where it is neither."""
    if text is None or text.isdigit():
        return None if text is None else int(text)
    try:
        at = datetime.fromisoformat(text.replace(" ", "+"))  # a bare + in a query is decoded as a space
    except ValueError as error:
        detail = f"{text!r} is neither a row number nor a time (RFC 3339)"
        raise Problem(422, "invalid", f"{name}: {detail}", errors=[{"parameter": name, "detail": detail}]) from error
    return at if at.tzinfo else at.replace(tzinfo=UTC)
