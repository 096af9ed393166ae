"""Rows that were answered before, found again by their id: in memory, else in the log.

A row that comes again under its id is answered as it was, and counts once. Whether it is the same
row is told by its features record, to which its prediction points: `raw` there is what ingest took.
"""

from __future__ import annotations

import asyncio
from collections import OrderedDict
from collections.abc import Callable, Mapping, Sequence
from contextlib import closing
from typing import NamedTuple, TypeVar

from services.gateway.backlog import Backlog
from services.gateway.readmodel.pipelines import Pipeline
from services.gateway.readmodel.predictions import Place, PredictionBook
from shared.bus.base import Bus
from shared.errors import Transient
from shared.messages import Features, Prediction, RawRecord
from shared.pipeline.problems import Problem
from shared.topics import FEATURES, PREDICTIONS

REMEMBERED = 10_000


class Gone(NamedTuple):
    """It has its answer, but the row it was given for is not kept any more: this one cannot be held against it."""

    answer: Prediction


Known = Prediction | Gone
Look = Callable[[Backlog], dict[str, Known]]
T = TypeVar("T")


class Answered:
    """Finds earlier answers. A row that differs from the one answered is not found: ingest will refuse it."""

    def __init__(self, book: PredictionBook, bus: Bus, full_name: Callable[[str], str]) -> None:
        self._book = book
        self._bus = bus
        self._full_name = full_name
        self._recent: OrderedDict[tuple[str, str], tuple[Mapping[str, object], Prediction]] = OrderedDict()
        self._searching = asyncio.Semaphore(1)

    def note(self, record: RawRecord, answer: Prediction) -> None:
        """Remembers the answer to this very row; the newest `REMEMBERED` are kept."""
        self._recent[record.pipeline, record.id] = (record.values, answer)
        self._recent.move_to_end((record.pipeline, record.id))
        if len(self._recent) > REMEMBERED:
            self._recent.popitem(last=False)

    async def known(self, records: Sequence[RawRecord], pipeline: Pipeline, deadline: float) -> dict[str, Known]:
        """By id, the answers to those of `records` that are remembered, or whose place in the log is."""
        found: dict[str, Known] = {}
        asked: dict[str, RawRecord] = {}
        for record in records:
            values, answer = self._recent.get((record.pipeline, record.id), (None, None))
            if answer is not None and values == record.values:
                found[record.id] = answer
            elif self._book.place(record.pipeline, record.id) is not None:
                asked[record.id] = record
        return found | (await self._with_log(self._at_places(asked, pipeline), deadline) if asked else {})

    async def searched(self, records: Sequence[RawRecord], pipeline: Pipeline, deadline: float) -> dict[str, Known]:
        """The same for answers whose place is forgotten: the log is read backward, one search at a time."""
        asked = {record.id: record for record in records}

        def look(log: Backlog) -> dict[str, Known]:
            return _same(log, asked, log.newest(PREDICTIONS, asked), pipeline)

        async with self._searching:
            try:
                return await self._with_log(look, deadline)
            except Transient:  # what was asked for may still be answered
                return {}

    async def dropped(self, rows: Mapping[str, Place], deadline: float) -> set[str]:
        """Ids of those raw rows, given by their places, that were taken for repetitions and so get no answer.

        None while another search is under way: whoever asks will ask again.
        """
        if self._searching.locked():
            return set()
        async with self._searching:
            try:
                return await self._with_log(lambda log: log.passed_over(rows), deadline)
            except Transient:  # it is not known yet
                return set()

    def _at_places(self, asked: Mapping[str, RawRecord], pipeline: Pipeline) -> Look:
        name = pipeline.defined.pipeline
        held = {event: answer for event in asked if (answer := self._book.get(name, event)) is not None}
        places = [place for event in asked.keys() - held.keys() if (place := self._book.place(name, event))]

        def look(log: Backlog) -> dict[str, Known]:
            read = {p.id: p for p in log.at(PREDICTIONS, places) if p.id in asked and p.pipeline == name}
            return _same(log, asked, held | read, pipeline)

        return look

    async def _with_log(self, look: Callable[[Backlog], T], deadline: float) -> T:
        def work() -> T:
            with closing(Backlog(self._bus, self._full_name, deadline)) as log:
                return look(log)

        return await asyncio.to_thread(work)


def _same(
    log: Backlog, asked: Mapping[str, RawRecord], answers: Mapping[str, Prediction], pipeline: Pipeline
) -> dict[str, Known]:
    """Of `answers`, those to the very rows that are asked for."""
    name = pipeline.defined.pipeline
    rows = {f.id: f for f in log.at(FEATURES, (a.origin for a in answers.values())) if f.pipeline == name}
    found: dict[str, Known] = {}
    for event, answer in answers.items():
        if event not in rows:
            found[event] = Gone(answer)
        elif is_row_of(rows[event], asked[event], pipeline):
            found[event] = answer
    return found


def is_row_of(features: Features, record: RawRecord, pipeline: Pipeline) -> bool:
    """Whether these are the features of this row, as far as the specification names its fields."""
    row = pipeline.contract.check_row(record.values, pipeline.specification.fields)
    return not isinstance(row, Problem) and all(features.raw.get(name) == value for name, value in row.values.items())
