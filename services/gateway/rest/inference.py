"""The Open Inference Protocol, handed on to the predictor as it is."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Request
from fastapi import Path as PathParameter
from fastapi.responses import Response

from services.gateway.parts import Needs
from services.gateway.predictor import Away, Slow
from services.gateway.rest.problems import Problem

router = APIRouter(tags=["inference"])

HANDED_ON = ("content-type", "accept", "inference-header-content-length", "traceparent", "x-request-id")
HANDED_BACK = ("content-type", "inference-header-content-length", "x-request-id", "retry-after")


Path = Annotated[str, PathParameter(alias="path", description="models/{pipeline}/infer, health/ready, …")]


@router.get("/v2", operation_id="oip_server")
async def server(request: Request, parts: Needs) -> Response:
    """What the predictor says of itself."""
    return await _hand_on(request, parts)


@router.get("/v2/{path:path}", operation_id="oip_get")
async def get(request: Request, parts: Needs, _: Path) -> Response:
    """Server and model metadata, health: what the predictor answers."""
    return await _hand_on(request, parts)


@router.post("/v2/{path:path}", operation_id="oip_post")
async def post(request: Request, parts: Needs, _: Path) -> Response:
    """Inference, JSON or the binary extension: what the predictor answers."""
    return await _hand_on(request, parts)


async def _hand_on(request: Request, parts: Needs) -> Response:
    headers = {name: request.headers[name] for name in HANDED_ON if name in request.headers}
    target = request.url.path + (f"?{request.url.query}" if request.url.query else "")
    try:
        answer = await parts.predictor.ask(request.method, target, await request.body(), headers)
    except Slow as slow:
        raise Problem(504, "predictor-slow", str(slow)) from slow
    except Away as away:
        raise Problem(503, "unavailable", str(away), headers={"Retry-After": "2"}, part="predictor") from away
    back = {name: answer.headers[name] for name in HANDED_BACK if name in answer.headers}
    return Response(answer.body, answer.status, back)
