"""One history through the whole loop, in virtual time."""

from __future__ import annotations

import gc
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from time import process_time
from typing import Any, NamedTuple

import numpy as np

from homeostat.backtesting.exchange import Exchange, Member, Plain, Post
from homeostat.backtesting.features import FeatureTable
from homeostat.backtesting.history import History
from homeostat.backtesting.lanes import Arrivals, IngestLane, PredictorLane
from homeostat.backtesting.log import ColumnBus
from homeostat.backtesting.watching import MonitorLane
from homeostat.simulation.assembly import OTHER_JOB_SECONDS, REVISION, jobs_of
from homeostat.simulation.simulation import definition_of
from services.ingest.service import Ingest
from services.ingest.settings import IngestSettings
from services.monitor.service import Monitor
from services.monitor.settings import MonitorSettings
from services.predictor.board import Board
from services.predictor.service import Predictor
from services.remediator.service import Remediator
from services.remediator.settings import RemediatorSettings, remediator_settings
from services.trainer.service import Trainer
from services.trainer.settings import TrainerSettings
from shared.clock import monotonic
from shared.messages import Value
from shared.models.artifact import ModelCache
from shared.models.store import FileStore
from shared.pipeline.specification import Policy
from shared.runtime.jobs import Jobs
from shared.runtime.memory import InlineJobs
from shared.service import Job
from shared.settings import CommonSettings
from shared.topics import PIPELINES, RAW_DATA, TOPICS, Topic

START = datetime(2026, 1, 1, tzinfo=UTC)
KEY = b"signs what a backtest trains"
_FOR_EVER = 1e9


@dataclass(frozen=True, slots=True, kw_only=True)
class Pace:
    """How the history becomes a stream.

    `batch`: rows that arrive together. `rate`: rows per virtual second; None: by the rows' own times
    (1 row a second where they have none). `training_seconds`: virtual time that one training takes.
    """

    batch: int = 100
    rate: float | None = None
    training_seconds: float = 5.0


class Said(NamedTuple):
    """A message: how many rows had arrived by then, and the virtual time."""

    row: int
    at: datetime
    message: Any


@dataclass(slots=True)
class Told:
    """What the loop said, by topic. Row i was answered `values[i]` by `versions[i]`, None for not at all.

    `trainings` are the rows that had arrived when each training began; `training_seconds` is what they
    took on this machine, `training_processor_seconds` of its processors' time.
    """

    values: list[Value]
    versions: list[str | None]
    by_topic: dict[str, list[Said]] = field(default_factory=dict)
    trainings: list[int] = field(default_factory=list)
    training_seconds: float = 0.0
    training_processor_seconds: float = 0.0

    def of(self, topic: Topic[Any]) -> list[Said]:
        return self.by_topic.get(topic.name, [])


def replayed(
    history: History,
    table: FeatureTable,
    pace: Pace,
    folder: Path,
    *,
    policies: Sequence[Policy] | None = None,
    progress: Callable[[int], None] = lambda _: None,
) -> Told:
    """The whole of the history, through services that begin with nothing. The same arguments give the same bytes."""
    loop = Loop(history, table, pace, folder, policies)
    with _no_collection():
        for arrivals in arrivals_of(history, pace.batch):
            loop.advance(arrivals)
            progress(arrivals.until)
    return loop.told


@contextmanager
def _no_collection() -> Iterator[None]:
    """Messages have no cycles: looking for some among millions of them would take as long as the rest."""
    was_on = gc.isenabled()
    gc.disable()
    gc.freeze()
    try:
        yield
    finally:
        gc.unfreeze()
        if was_on:
            gc.enable()


def _collect() -> None:
    """Frees what a training left behind, and looks at what it leaves for good this once."""
    gc.collect()
    gc.freeze()


class Loop:
    """The services and the virtual clock."""

    def __init__(
        self,
        history: History,
        table: FeatureTable,
        pace: Pace,
        folder: Path,
        policies: Sequence[Policy] | None,
    ) -> None:
        self.told = Told([None] * len(history), [None] * len(history))
        self._history, self._pace = history, pace
        self._now, self._row = at_row(history, pace, 0), 0
        self._ends: list[datetime] = []
        settings = CommonSettings(bootstrap_servers="memory", data_dir=folder, signing_key=KEY, data_partitions=1)
        bus, models, board = ColumnBus(), ModelCache(FileStore(folder / "artifacts"), KEY), Board()
        ingest = Ingest(0, IngestSettings(archive_seconds=_FOR_EVER, archive_rows=10**12))
        predictor = Predictor(0, models, board)
        lane = IngestLane(ingest, history, table, bus, self._send)
        answering = PredictorLane(
            predictor,
            board,
            lambda release: models.get(release.artifact),
            history,
            table,
            lane.full,
            self._send,
            self.told.values,
            self.told.versions,
        )
        members: Mapping[str, Member] = {
            "ingest": lane,
            "predictor": answering,
            "monitor": MonitorLane(Monitor(MonitorSettings()), history, table),
            "remediator": Plain(Remediator(_remediation(policies))),
            "trainer": Plain(Trainer(TrainerSettings(code_revision=REVISION))),
        }
        tables = {**jobs_of()}
        tables["trainer"] = {**tables["trainer"], "train": self._timed(tables["trainer"])}
        self._exchange = Exchange(
            {
                name: (member, InlineJobs(tables.get(name, {}), settings, bus, self._seconds_of))
                for name, member in members.items()
            },
            {topic.name: topic.readers for topic in TOPICS},
        )
        definition = definition_of(history.specification, 1, self._now)
        self._exchange.publish([PIPELINES.of(definition)])
        self._run(self._now)

    def advance(self, arrivals: Arrivals) -> None:
        """Lets time pass up to these rows, then they are there, at the time of the last of them."""
        begins = at_row(self._history, self._pace, arrivals.first)
        self._jobs_until(begins)
        self._run(begins)
        self._row = arrivals.until
        ends = at_row(self._history, self._pace, arrivals.until - 1)
        self._jobs_until(ends)
        self._exchange.post(RAW_DATA, Post((), arrivals))
        self._run(ends)

    def _jobs_until(self, time: datetime) -> None:
        """Jobs end at their own times on the way."""
        while self._ends and min(self._ends) <= time:
            self._ends.remove(end := min(self._ends))
            self._run(end)

    def _run(self, time: datetime) -> None:
        self._now = max(self._now, time)
        self._exchange.run(self._now)
        for topic, messages in self._exchange.kept.items():
            self.told.by_topic.setdefault(topic, []).extend(Said(self._row, self._now, each) for each in messages)
        self._exchange.kept.clear()

    def _send(self, topic: Topic[Any], post: Post, *, to: str) -> None:
        self._exchange.post(topic, post, to=to)

    def _seconds_of(self, job: Job) -> float:
        seconds = self._pace.training_seconds if job.name == "train" else OTHER_JOB_SECONDS
        self.told.trainings += [self._row] if job.name == "train" else []
        self._ends.append(self._now + timedelta(seconds=seconds))
        return seconds

    def _timed(self, jobs: Jobs) -> Any:
        def train(arguments: dict[str, Any], context: Any) -> dict[str, Any]:
            began, spent = monotonic(), process_time()
            try:
                return jobs["train"](arguments, context)
            finally:
                _collect()
                self.told.training_seconds += monotonic() - began
                self.told.training_processor_seconds += process_time() - spent

        return train


def arrivals_of(history: History, batch: int) -> Iterator[Arrivals]:
    """Stretches of `batch` rows, each with the rows whose label arrives with it."""
    wrong = history.checked.label_problems
    there = np.array([label is not None for label in history.labels], bool)
    there[list(wrong)] = True
    order = np.argsort(history.due, kind="stable")
    labelled = order[there[order]]
    due = history.due[labelled]
    for first in range(0, len(history), batch):
        until = min(first + batch, len(history))
        last = len(history) + 1 if until == len(history) else until
        inside = slice(*np.searchsorted(due, [first, last]).tolist())
        yield Arrivals(first, until, labelled[inside].tolist())


def at_row(history: History, pace: Pace, row: int) -> datetime:
    """The virtual time at which this row arrives."""
    own = history.time_of(row) if pace.rate is None else None
    return START + timedelta(seconds=row / (pace.rate or 1.0)) if own is None else own


def _remediation(policies: Sequence[Policy] | None) -> RemediatorSettings:
    return remediator_settings({}) if policies is None else RemediatorSettings(policies=tuple(policies))
