"""Predicts that wait for their answer to come by on the log."""

from __future__ import annotations

import asyncio
from typing import Any

import msgspec

from services.gateway.hub import Hub
from services.gateway.readmodel.entry import Entry
from shared.messages import DeadLetter, Prediction, RawRecord
from shared.topics import RAW_DATA

Answer = Prediction | DeadLetter


class Waiters:
    """Who waits for which row."""

    def __init__(self, hub: Hub) -> None:
        self._waiting: dict[tuple[str, str], list[tuple[RawRecord, asyncio.Future[Answer]]]] = {}
        hub.listen("predictions", self._came)
        hub.listen("dead-letters", self._came)

    def another(self, record: RawRecord) -> bool:
        """Whether another row waits under this one's id just now."""
        waiting = self._waiting.get((record.pipeline, record.id), ())
        return any(other.values != record.values for other, _ in waiting)

    def wait(self, record: RawRecord) -> asyncio.Future[Answer]:
        """Done when a prediction for the event, or a dead letter of this very row, is folded.

        Cancel it to stop waiting.
        """
        future: asyncio.Future[Answer] = asyncio.get_running_loop().create_future()
        place = (record.pipeline, record.id)
        self._waiting.setdefault(place, []).append((record, future))
        future.add_done_callback(lambda done: self._forget(place, done))
        return future

    def _forget(self, place: tuple[str, str], future: asyncio.Future[Answer]) -> None:
        left = [waiting for waiting in self._waiting.get(place, ()) if waiting[1] is not future]
        if left:
            self._waiting[place] = left
        else:
            self._waiting.pop(place, None)

    def _came(self, entry: Entry[Any]) -> None:
        message = entry.message
        for record, future in list(self._waiting.get((message.pipeline or "", message.id or ""), ())):
            if not future.done() and (isinstance(message, Prediction) or is_letter_of(message, record)):
                future.set_result(message)


def is_letter_of(letter: DeadLetter, record: RawRecord) -> bool:
    """Whether it is this row that was refused, or what came of it, not another row under its id."""
    if letter.topic != RAW_DATA.name:
        return True
    try:
        return msgspec.json.decode(letter.value, type=RawRecord).values == record.values
    except msgspec.DecodeError:
        return False
