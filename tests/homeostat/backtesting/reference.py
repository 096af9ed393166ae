"""The same history through the simulation: the services' own loops, over bytes, a row at a time."""

from __future__ import annotations

from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

from homeostat.backtesting.history import History
from homeostat.backtesting.loop import Pace, arrivals_of, at_row
from homeostat.simulation import Simulation
from homeostat.simulation.assembly import OTHER_JOB_SECONDS, Knobs
from services.ingest.settings import IngestSettings
from shared.messages import Prediction
from shared.service import Job
from shared.settings import CommonSettings
from shared.topics import PREDICTIONS, Topic


class Reference:
    """What the simulation says of a history that comes at the same pace."""

    def __init__(self, history: History, pace: Pace, folder: Path) -> None:
        self._ends: list[datetime] = []
        self._pace, self._history = pace, history
        self.simulation = Simulation(
            history.specification,
            folder,
            knobs=Knobs(ingest=IngestSettings(archive_seconds=1e9, archive_rows=10**12)),
            settings=CommonSettings(
                bootstrap_servers="memory", data_dir=folder, signing_key=b"x", data_partitions=1, snapshot_seconds=1e9
            ),
            job_seconds=self._seconds_of,
            start=at_row(history, pace, 0),
        )
        for arrivals in arrivals_of(history, pace.batch):
            self._jobs_until(at_row(history, pace, arrivals.first))
            self.simulation.runtime.run(at_row(history, pace, arrivals.first))
            ends = at_row(history, pace, arrivals.until - 1)
            self._jobs_until(ends)
            self.simulation.runtime.now = max(ends, self.simulation.now)
            rows = [history.columns.row(row) for row in range(arrivals.first, arrivals.until)]
            self.simulation.put_rows(rows)
            cells = history.columns.cells[str(history.specification.target)]
            self.simulation.put_labels((history.ids[row], cells[row]) for row in arrivals.due)
            self.simulation.runtime.run(ends)

    def of(self, topic: Topic[Any]) -> list[Any]:
        """The topic's messages."""
        return self.simulation.messages(topic)

    def answers(self) -> dict[str, Prediction]:
        """The answers by id."""
        return {answer.id: answer for answer in self.simulation.messages(PREDICTIONS)}

    def _seconds_of(self, job: Job) -> float:
        seconds = self._pace.training_seconds if job.name == "train" else OTHER_JOB_SECONDS
        self._ends.append(self.simulation.now + timedelta(seconds=seconds))
        return seconds

    def _jobs_until(self, time: datetime) -> None:
        while self._ends and min(self._ends) <= time:
            self._ends.remove(end := min(self._ends))
            self.simulation.runtime.run(end)
