"""One predict on its way: earlier answers are looked up, the rest is sent and waited for."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple

from services.gateway.answered import Answered, Gone
from services.gateway.readmodel.pipelines import Pipeline
from services.gateway.readmodel.predictions import Place
from services.gateway.waiting import Answer, Waiters
from shared.bus.base import Position
from shared.clock import monotonic
from shared.messages import Prediction, RawRecord
from shared.topics import RAW_DATA, Out


class Refusal(NamedTuple):
    """Why a row has no answer, where no dead letter says so."""

    reason: str
    detail: str
    field: str | None = None


Outcome = Answer | Gone | Refusal
Write = Callable[[Sequence[Out]], Awaitable[list[Position]]]
_PENDING = Refusal("id-conflict", "another row is being answered under this id just now")


@dataclass(frozen=True, slots=True, kw_only=True)
class Asking:
    """One request on its way: what was answered before is looked up, the rest is sent and waited for.

    `fresh` are ids that were made for this request. A row under another id that has no answer after
    `patience` seconds may be a repetition, which ingest drops: then the log is searched for its answer,
    and now and then, each time after twice as long, for a sign that it was dropped.
    """

    waiters: Waiters
    answered: Answered
    write: Write
    pipeline: Pipeline
    fresh: Collection[str]
    patience: float

    async def outcomes(self, records: Sequence[RawRecord], timeout: float) -> dict[str, Outcome]:
        """By event id, at the latest after `timeout` seconds; what is still to come is left out."""
        deadline = monotonic() + timeout
        named = {record.id: record for record in records if record.id not in self.fresh}
        outcomes: dict[str, Outcome] = {r.id: _PENDING for r in named.values() if self.waiters.another(r)}
        rest = [record for record in named.values() if record.id not in outcomes]
        outcomes |= await self.answered.known(rest, self.pipeline, deadline)
        new = {record.id: record for record in records if record.id not in outcomes}
        again = [record for record in rest if record.id not in new and self._brings_label(record)]
        outcomes |= await self._sent(new, again, deadline)
        self._note(named, outcomes)
        return outcomes

    async def _sent(
        self, new: Mapping[str, RawRecord], again: Sequence[RawRecord], deadline: float
    ) -> dict[str, Outcome]:
        waiting = {event: self.waiters.wait(record) for event, record in new.items()}  # before any is sent
        outcomes: dict[str, Outcome] = {}
        try:
            written = await self.write([RAW_DATA.of(record) for record in [*new.values(), *again]])
            places = {event: (at.partition, at.offset) for event, at in zip(new, written, strict=False)}
            await _all_done(waiting.values(), min(deadline, monotonic() + self.patience))
            if (silent := self._silent(waiting)) and monotonic() < deadline:
                outcomes |= await self.answered.searched([new[event] for event in silent], self.pipeline, deadline)
            outcomes |= await self._dropped(places, waiting, outcomes, deadline)
            await _all_done([future for event, future in waiting.items() if event not in outcomes], deadline)
        finally:
            for event, future in waiting.items():
                if future.done() and not future.cancelled():
                    outcomes[event] = future.result()
                future.cancel()
        return outcomes

    async def _dropped(
        self,
        places: Mapping[str, Place],
        waiting: Mapping[str, asyncio.Future[Answer]],
        known: Mapping[str, Outcome],
        deadline: float,
    ) -> dict[str, Outcome]:
        found: dict[str, Outcome] = {}
        pause = self.patience
        while (silent := self._silent(waiting) - known.keys() - found.keys()) and monotonic() < deadline:
            dropped = await self.answered.dropped({event: places[event] for event in silent}, deadline)
            found |= {event: _unanswered(event) for event in dropped}
            await _all_done([waiting[event] for event in silent - dropped], min(deadline, monotonic() + pause))
            pause *= 2
        return found

    def _silent(self, waiting: Mapping[str, asyncio.Future[Answer]]) -> set[str]:
        """Ids that a client gave and nobody has said anything of."""
        return {event for event, future in waiting.items() if not future.done() and event not in self.fresh}

    def _brings_label(self, record: RawRecord) -> bool:
        """Sent again, such a row is still one event: ingest takes its label alone."""
        return record.values.get(self.pipeline.specification.target or "") is not None

    def _note(self, named: Mapping[str, RawRecord], outcomes: Mapping[str, Outcome]) -> None:
        for event, record in named.items():
            outcome = outcomes.get(event)
            if isinstance(outcome, Prediction):
                self.answered.note(record, outcome)


def _unanswered(event: str) -> Refusal:
    detail = (
        f"a row was taken under the id {event!r} before, and its answer is not kept any more: "
        "send it without an id, or with a new one"
    )
    return Refusal("answered-before", detail)


async def _all_done(futures: Collection[asyncio.Future[Answer]], deadline: float) -> None:
    if futures:
        await asyncio.wait(futures, timeout=max(0.0, deadline - monotonic()))
