"""Requests that arrive together are scored together: one vectorised call, and no timer.

A request waits for those parsed in the same turn of the event loop and for nothing else, so an idle
endpoint answers at once and a busy one in batches as large as its load.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence

from services.predictor.core.answer import Answer, answers_of
from shared.messages import Value
from shared.models.base import Model

Rows = Sequence[Mapping[str, Value]]


class Batcher:
    """Collects rows per model within one turn of the running loop."""

    def __init__(self) -> None:
        self._waiting: dict[int, tuple[Model, list[tuple[Rows, asyncio.Future[list[Answer]]]]]] = {}

    async def answers(self, model: Model, rows: Rows) -> list[Answer]:
        """One answer per row, in order."""
        loop = asyncio.get_running_loop()
        if not self._waiting:
            loop.call_soon(self._flush)
        future: asyncio.Future[list[Answer]] = loop.create_future()
        self._waiting.setdefault(id(model), (model, []))[1].append((rows, future))
        return await future

    def _flush(self) -> None:
        waiting, self._waiting = self._waiting, {}
        for model, requests in waiting.values():
            answers = answers_of(model, [row for rows, _ in requests for row in rows])
            start = 0
            for rows, future in requests:
                if not future.done():
                    future.set_result(answers[start : start + len(rows)])
                start += len(rows)
