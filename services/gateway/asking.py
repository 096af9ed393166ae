"""One predict on its way: earlier answers are looked up, the rest is sent and waited for."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Collection, Mapping, Sequence
from typing import Any, NamedTuple

from services.gateway.answered import Answered, Gone
from services.gateway.readmodel.pipelines import Pipeline
from services.gateway.waiting import Answer, Waiters
from shared.clock import monotonic
from shared.messages import Prediction, RawRecord
from shared.topics import RAW_DATA, Out


class Refusal(NamedTuple):
    """Why a row has no answer, where no dead letter says so."""

    reason: str
    detail: str
    field: str | None = None


Outcome = Answer | Gone | Refusal
Write = Callable[[Sequence[Out]], Awaitable[Any]]
_PENDING = Refusal("id-conflict", "another row is being answered under this id just now")


class Asking:
    """One request on its way: what was answered before is looked up, the rest is sent and waited for.

    `fresh` are ids that were made for this request. A row under another id that has no answer after
    `patience` seconds may be a repetition, which ingest drops: then the log is searched.
    """

    def __init__(
        self,
        waiters: Waiters,
        answered: Answered,
        write: Write,
        pipeline: Pipeline,
        *,
        fresh: Collection[str],
        patience: float,
    ) -> None:
        self._waiters = waiters
        self._answered = answered
        self._write = write
        self._pipeline = pipeline
        self._fresh = fresh
        self._patience = patience

    async def outcomes(self, records: Sequence[RawRecord], timeout: float) -> dict[str, Outcome]:
        """By event id, at the latest after `timeout` seconds; what is still to come is left out."""
        deadline = monotonic() + timeout
        named = {record.id: record for record in records if record.id not in self._fresh}
        outcomes: dict[str, Outcome] = {r.id: _PENDING for r in named.values() if self._waiters.another(r)}
        rest = [record for record in named.values() if record.id not in outcomes]
        outcomes |= await self._answered.known(rest, self._pipeline, deadline)
        new = {record.id: record for record in records if record.id not in outcomes}
        again = [record for record in rest if record.id not in new and self._brings_label(record)]
        outcomes |= await self._sent(new, again, deadline)
        self._note(named, outcomes)
        return outcomes

    async def _sent(
        self, new: Mapping[str, RawRecord], again: Sequence[RawRecord], deadline: float
    ) -> dict[str, Outcome]:
        outcomes: dict[str, Outcome] = {}
        waiting = {event: self._waiters.wait(record) for event, record in new.items()}  # before any is sent
        try:
            await self._write([RAW_DATA.of(record) for record in [*new.values(), *again]])
            await _all_done(waiting.values(), min(deadline, monotonic() + self._patience))
            silent = [new[e] for e, future in waiting.items() if not future.done() and e not in self._fresh]
            if silent and monotonic() < deadline:
                outcomes |= await self._answered.searched(silent, self._pipeline, deadline)
            await _all_done([f for e, f in waiting.items() if e not in outcomes], deadline)
        finally:
            for event, future in waiting.items():
                if future.done() and not future.cancelled():
                    outcomes[event] = future.result()
                future.cancel()
        return outcomes

    def _brings_label(self, record: RawRecord) -> bool:
        """Sent again, such a row is still one event: ingest takes its label alone."""
        return record.values.get(self._pipeline.specification.target or "") is not None

    def _note(self, named: Mapping[str, RawRecord], outcomes: Mapping[str, Outcome]) -> None:
        for event, record in named.items():
            outcome = outcomes.get(event)
            if isinstance(outcome, Prediction):
                self._answered.note(record, outcome)


async def _all_done(futures: Collection[asyncio.Future[Answer]], deadline: float) -> None:
    if futures:
        await asyncio.wait(futures, timeout=max(0.0, deadline - monotonic()))
