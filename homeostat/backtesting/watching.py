"""The monitor by columns: it reads its fields from the table, and no message is made of a row."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from functools import partial
from typing import Any

import numpy as np
import polars as pl

from homeostat.backtesting.exchange import Plain, Post
from homeostat.backtesting.features import FeatureTable
from homeostat.backtesting.history import History
from homeostat.backtesting.lanes import SOURCE, FeatureRun, times_of
from services.monitor.core.events import Events
from services.monitor.core.fields import Fields
from services.monitor.core.state import Floats
from services.monitor.service import Monitor
from shared.service import Step
from shared.topics import FEATURES, Topic


@dataclass(slots=True)
class MonitorLane:
    """The monitor. `features` brings a `FeatureRun` (or messages, where ingest made them one by one)."""

    service: Monitor
    history: History
    table: FeatureTable
    numbers: dict[tuple[str, ...], Floats | None] = field(default_factory=dict)
    times: Floats = field(default_factory=lambda: np.empty(0))

    def __post_init__(self) -> None:
        own = times_of(self.history, self.table, 0, len(self.table.places))
        self.times = np.array([np.nan if at is None else at.timestamp() for at in own])

    def take(self, topic: Topic[Any], post: Post, now: datetime) -> Step:
        """Runs of features in columns; every other topic goes to the service."""
        run = post.messages
        if topic is not FEATURES or not isinstance(run, FeatureRun):
            return Plain(self.service).take(topic, post, now)
        return self.service.take_events(self.history.specification.name, self._events(run), 0, post.offsets, now)

    def _events(self, run: FeatureRun) -> Events:
        ids, times = self.history.ids, self.times[run.start : run.stop]
        return Events(
            ids=[ids[place] for place in run.places],
            sources=[SOURCE] * len(run.places),
            times=np.where(np.isnan(times), run.now.timestamp(), times),
            withheld=None,
            matrix=lambda fields: self._matrix(fields, run),
            raw=partial(self._rows, run),
            arrived=lambda _: run.now,
        )

    def _matrix(self, fields: Fields, run: FeatureRun) -> Floats:
        names = fields.names[: fields.numeric]
        if names not in self.numbers:
            self.numbers[names] = _numbers(self.table.raw, names)
        numbers = self.numbers[names]
        if numbers is None:
            return fields.matrix(self._rows(run))
        others = [self._codes(fields, name, run) for name in fields.names[fields.numeric :]]
        own = numbers[run.start : run.stop]
        return np.column_stack([own, *others]) if others else own

    def _rows(self, run: FeatureRun) -> list[dict[str, Any]]:
        return self.table.raw[run.start : run.stop].to_dicts()

    def _codes(self, fields: Fields, name: str, run: FeatureRun) -> Floats:
        return fields.codes(name, self.table.raw[name][run.start : run.stop].to_list())


def _numbers(raw: pl.DataFrame, names: Sequence[str]) -> Floats | None:
    """These fields of all lines, missing ones NaN; None where one is not there, or holds no numbers."""
    kinds = [raw.schema.get(name) for name in names]
    if not all(kind is not None and (kind.is_numeric() or kind in (pl.Boolean, pl.Null)) for kind in kinds):
        return None
    columns = [raw[name].cast(pl.Float64).fill_null(np.nan).to_numpy() for name in names]
    return np.column_stack(columns) if columns else np.empty((raw.height, 0))
