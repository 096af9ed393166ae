"""Requests that arrive together are scored together."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Any

import httpx
import pytest

from services.predictor.rest import Endpoint
from shared.messages import Value
from shared.models.artifact import ModelCache
from shared.models.base import Answers, Model
from tests.services.predictor.talking import (
    SETTINGS,
    STORE,
    board_of,
    client_of,
    constant,
    endpoint,
    unlogged,
    x_request,
)
from tests.support.models import KEY, NAMES, linear_model, published, rows, stored


class Counted:
    """A real model, and how many rows each call to it had."""

    def __init__(self, model: Model) -> None:
        self.model = model
        self.metadata = model.metadata
        self.features = model.features
        self.calls: list[int] = []

    def answer(self, some: Sequence[Mapping[str, Value]]) -> Answers:
        self.calls.append(len(some))
        return self.model.answer(some)


class Counting(ModelCache):
    """A cache whose one model counts its calls."""

    def __init__(self) -> None:
        super().__init__(STORE, KEY)
        self.counted: Counted | None = None

    def get(self, artifact: Any) -> Model:
        self.counted = self.counted or Counted(super().get(artifact))
        return self.counted


def together(app: Endpoint, send: Callable[[httpx.AsyncClient], Sequence[Awaitable[httpx.Response]]]) -> list[Any]:
    async def talk() -> list[Any]:
        async with client_of(app) as client:
            return [response.json() for response in await asyncio.gather(*send(client))]

    return asyncio.run(talk())


def test_requests_that_arrive_together_are_scored_in_one_call_and_each_gets_its_own() -> None:
    estimator, metadata = linear_model()
    models = Counting()
    app = Endpoint(board_of(published("7", stored(STORE, estimator, metadata), metadata)), models, SETTINGS, unlogged)
    some = rows(30)

    def one(row: dict[str, Value]) -> dict[str, Any]:
        kinds = zip(NAMES, ("FP64", "FP64", "BYTES"), strict=True)
        return {"inputs": [{"name": n, "datatype": k, "shape": [1], "data": [row[n]]} for n, k in kinds]}

    answers = together(app, lambda client: [client.post("/v2/models/demo/infer", json=one(row)) for row in some])

    assert models.counted is not None
    assert sum(models.counted.calls) == 30
    assert len(models.counted.calls) < 10
    expected = models.counted.model.answer(some).scores
    assert [answer["outputs"][1]["data"][0] for answer in answers] == pytest.approx(expected)


def test_one_bad_request_among_many_is_refused_alone() -> None:
    app = endpoint(board_of(constant(1)))

    def mixed(client: httpx.AsyncClient) -> list[Awaitable[httpx.Response]]:
        bodies = [x_request(1.0), {"inputs": []}, x_request(2.0, 3.0)]
        return [client.post("/v2/models/demo/infer", json=body) for body in bodies]

    first, second, third = together(app, mixed)
    assert first["outputs"][0]["data"] == [1.0]
    assert list(second) == ["error"]
    assert third["outputs"][0]["data"] == [1.0, 1.0]
