"""One history through the whole loop, in virtual time."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from homeostat.backtesting.history import History
from homeostat.simulation import Simulation
from homeostat.simulation.assembly import OTHER_JOB_SECONDS, Knobs
from services.ingest.settings import IngestSettings
from shared.messages import Prediction
from shared.pipeline.specification import Policy
from shared.service import Job
from shared.settings import CommonSettings
from shared.topics import (
    ALERTS,
    AUDIT,
    COMMAND_RESULTS,
    COMMANDS,
    DEAD_LETTERS,
    METRICS,
    MODEL_PUBLISHED,
    PREDICTIONS,
    Topic,
)

START = datetime(2026, 1, 1, tzinfo=UTC)
KEY = b"signs what a backtest trains"
KEPT: tuple[Topic[Any], ...] = (ALERTS, AUDIT, COMMANDS, COMMAND_RESULTS, METRICS, MODEL_PUBLISHED, DEAD_LETTERS)
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
    """A message: how many rows had been sent by then, and the virtual time."""

    row: int
    at: datetime
    message: Any


@dataclass(slots=True)
class Told:
    """What the loop said, by topic; `answers[i]` is row i's; `trainings` are rows sent when each training began."""

    answers: list[Prediction | None]
    by_topic: dict[str, list[Said]] = field(default_factory=dict)
    trainings: list[int] = field(default_factory=list)

    def of(self, topic: Topic[Any]) -> list[Said]:
        return self.by_topic.get(topic.name, [])


def replayed(
    history: History,
    pace: Pace,
    folder: Path,
    *,
    policies: Sequence[Policy] | None = None,
    progress: Callable[[int], None] = lambda _: None,
) -> Told:
    """The whole of the history, through services that begin with nothing. The same arguments give the same bytes."""
    told, sent, ends = Told([None] * len(history)), 0, list[datetime]()

    def seconds_of(job: Job) -> float:
        seconds = pace.training_seconds if job.name == "train" else OTHER_JOB_SECONDS
        told.trainings += [sent] if job.name == "train" else []
        ends.append(simulation.now + timedelta(seconds=seconds))
        return seconds

    simulation = Simulation(
        history.specification,
        folder,
        policies=policies,
        knobs=Knobs(ingest=IngestSettings(archive_seconds=_FOR_EVER, archive_rows=10**12)),
        settings=CommonSettings(
            bootstrap_servers="memory",
            data_dir=folder,
            signing_key=KEY,
            data_partitions=1,
            snapshot_seconds=_FOR_EVER,
        ),
        job_seconds=seconds_of,
        start=_at(history, pace, 0),
    )
    seen = dict.fromkeys((topic.name for topic in KEPT), 0)
    for first, until, due in arrivals(history, pace.batch):
        begins = _at(history, pace, first)
        while ends and min(ends) <= begins:
            ends.remove(end := min(ends))
            simulation.runtime.run(end)
        simulation.runtime.run(begins)
        simulation.put_rows(history.rows[first:until])
        simulation.put_labels((history.ids[row], history.labels[row]) for row in due)
        sent = until
        simulation.runtime.run(_at(history, pace, until - 1))
        for topic in KEPT:
            records = simulation.records(topic)
            if len(records) > seen[topic.name]:
                found = told.by_topic.setdefault(topic.name, [])
                found += [
                    Said(until, simulation.now, message) for message in simulation.messages(topic)[seen[topic.name] :]
                ]
                seen[topic.name] = len(records)
        progress(until)
    place = {id_: row for row, id_ in reversed(list(enumerate(history.ids)))}
    for answer in simulation.messages(PREDICTIONS):
        told.answers[place[answer.id]] = answer
    return told


def arrivals(history: History, batch: int) -> Iterator[tuple[int, int, list[int]]]:
    """Stretches [first, until) of rows, each with the rows whose label arrives with it."""
    order = np.argsort(history.due, kind="stable")
    labelled = order[[history.labels[row] is not None for row in order.tolist()]]
    due = history.due[labelled]
    for first in range(0, len(history), batch):
        until = min(first + batch, len(history))
        last = len(history) + 1 if until == len(history) else until
        inside = slice(*np.searchsorted(due, [first, last]).tolist())
        yield first, until, labelled[inside].tolist()


def _at(history: History, pace: Pace, row: int) -> datetime:
    own = history.time_of(row) if pace.rate is None else None
    return START + timedelta(seconds=row / (pace.rate or 1.0)) if own is None else own
