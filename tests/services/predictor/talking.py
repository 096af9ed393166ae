"""The endpoint over models made for the test, and calls to it without a network."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import Any

import httpx

from services.predictor.board import Board, View
from services.predictor.core.releases import Live, after
from services.predictor.rest import Endpoint, TakeForLog
from services.predictor.settings import PredictorSettings
from shared.messages import Inference, ModelPublished
from shared.models.artifact import ModelCache
from shared.models.store import MemoryStore
from tests.support.models import KEY, constant_model, linear_model, published, stored

STORE = MemoryStore()
NO_ROWS = b'{"inputs":[{"name":"x","shape":[0],"datatype":"FP64","data":[]}]}'
SETTINGS = PredictorSettings(port=0, max_body_bytes=20_000)


def constant(version: int, **more: Any) -> ModelPublished:
    estimator, metadata = constant_model(float(version))
    return published(str(version), stored(STORE, estimator, metadata), metadata, **more)


def board_of(*publications: ModelPublished, pipelines: Sequence[str] = ("demo", "new")) -> Board:
    live: dict[str, Live] = {}
    for publication in publications:
        live[publication.pipeline] = after(live.get(publication.pipeline, Live()), publication)
    board = Board()
    board.show(View(live, frozenset(pipelines), len(publications)))
    return board


def linear() -> ModelPublished:
    estimator, metadata = linear_model()
    return published("7", stored(STORE, estimator, metadata), metadata)


def unlogged(inferences: Sequence[Inference], body_bytes: int) -> None:
    """For tests that ask nothing of the log."""


def endpoint(board: Board, log: TakeForLog = unlogged) -> Endpoint:
    return Endpoint(board, ModelCache(STORE, KEY), SETTINGS, log)


def call(board: Board, method: str, path: str, **more: Any) -> httpx.Response:
    async def talk() -> httpx.Response:
        async with client_of(endpoint(board)) as client:
            return await client.request(method, path, **more)

    return asyncio.run(talk())


def client_of(app: Any) -> httpx.AsyncClient:
    return httpx.AsyncClient(transport=httpx.ASGITransport(app=app), base_url="http://predictor")


def x_request(*values: float, **more: Any) -> dict[str, Any]:
    return {"inputs": [{"name": "x", "datatype": "FP64", "shape": [len(values)], "data": list(values)}], **more}
