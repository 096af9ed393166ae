"""Predicts that wait for their answer to come by on the log."""

from __future__ import annotations

import asyncio
from collections import OrderedDict
from typing import Any

from services.gateway.hub import Hub
from services.gateway.readmodel.entry import Entry
from shared.messages import DeadLetter, Prediction

Answer = Prediction | DeadLetter
REMEMBERED = 10_000


class Waiters:
    """Who waits for which event. `asked` remembers what was asked under an id, newest `REMEMBERED`."""

    def __init__(self, hub: Hub) -> None:
        self._waiting: dict[tuple[str, str], list[asyncio.Future[Answer]]] = {}
        self._asked: OrderedDict[tuple[str, str], str] = OrderedDict()
        hub.listen("predictions", self._came)
        hub.listen("dead-letters", self._came)

    def asked_before(self, pipeline: str, event: str, digest: str) -> bool:
        """Whether this very row was asked for under this id already; notes it either way."""
        same = self._asked.get((pipeline, event)) == digest
        self._asked[pipeline, event] = digest
        self._asked.move_to_end((pipeline, event))
        if len(self._asked) > REMEMBERED:
            self._asked.popitem(last=False)
        return same

    def wait(self, pipeline: str, event: str) -> asyncio.Future[Answer]:
        """Done when a prediction or a dead letter for the event is folded. Cancel it to stop waiting."""
        future: asyncio.Future[Answer] = asyncio.get_running_loop().create_future()
        waiting = self._waiting.setdefault((pipeline, event), [])
        waiting.append(future)
        future.add_done_callback(lambda done: self._forget(pipeline, event, done))
        return future

    def _forget(self, pipeline: str, event: str, future: asyncio.Future[Answer]) -> None:
        waiting = self._waiting.get((pipeline, event), [])
        if future in waiting:
            waiting.remove(future)
        if not waiting:
            self._waiting.pop((pipeline, event), None)

    def _came(self, entry: Entry[Any]) -> None:
        message = entry.message
        for future in list(self._waiting.get((message.pipeline or "", message.id or ""), ())):
            if not future.done():
                future.set_result(message)
