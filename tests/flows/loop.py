"""The whole loop over the log in memory, driven by the demo's story: what `tests/flows/` tells stories with."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from homeostat.demo.offline import features_of
from homeostat.demo.story import Story
from homeostat.rows import frame_of, rows_of
from homeostat.simulation import Simulation
from homeostat.simulation.assembly import usual_seconds
from homeostat.simulation.simulation import KEY
from services.trainer.bring import brought
from shared.models.store import FileStore
from shared.pipeline.load import load
from shared.pipeline.specification import Specification

EXAMPLES = Path(__file__).parents[2] / "examples"
__all__ = ["KEY", "Loop"]


class Loop:
    """Ingest, predictor, monitor, remediator and trainer in one process, under one virtual clock."""

    def __init__(
        self, example: str, data_dir: Path, *, training_seconds: float = 6.0, changes: Mapping[str, Any] | None = None
    ) -> None:
        """`changes` take the place of parts of the example's specification."""
        self.specification = _searched_by_trials(load(EXAMPLES / example / "pipeline.yaml"), changes or {})
        self.table = rows_of(frame_of(str(EXAMPLES / example / "data.parquet")))
        self.simulation = Simulation(self.specification, data_dir, job_seconds=usual_seconds(training_seconds))
        self.runtime = self.simulation.runtime

    def play(self, story: Story, *, speed: float, at_row: Mapping[int, Callable[[], None]] | None = None) -> None:
        """Sends the story's rows, and each label `label_lag` rows after its event, `speed` rows a virtual second."""
        at_row = at_row or {}
        step = max(1, int(speed))
        self._rows(story, 0, story.warm_up)
        self._labels(0, story.warm_up)
        self.runtime.advance(20)
        labelled = story.warm_up
        for start in range(story.warm_up, story.rows, step):
            stop = min(start + step, story.rows)
            for row in range(start, stop):
                if row in at_row:
                    at_row[row]()
            self._rows(story, start, stop)
            self._labels(labelled, stop - story.label_lag)
            labelled = max(labelled, stop - story.label_lag)
            self.runtime.advance(1.0)
        self._labels(labelled, story.rows)
        self.runtime.advance(30)

    def ask(self, action: str, arguments: Mapping[str, Any]) -> None:
        """A person's request."""
        self.simulation.ask(action, arguments, issued_by="person:test")

    def candidate(self, rows: int, folder: Path) -> dict[str, Any]:
        """A model of the first `rows` rows, as a person brings one."""
        known = self.table[:rows]
        return brought(
            self.specification,
            features_of(self.specification, known),
            [row["target"] for row in known],
            learner="logistic",
            store=FileStore(folder / "artifacts"),
            signing_key=KEY,
            made_by="test",
        )

    def _rows(self, story: Story, start: int, stop: int) -> None:
        rows = [story.row(index, self.table[index]) for index in range(start, stop)]
        self.simulation.put_rows(rows, source="market")

    def _labels(self, start: int, stop: int) -> None:
        target = str(self.specification.target)
        rows = self.table[start : max(start, stop)]
        self.simulation.put_labels(((str(row["id"]), row[target]) for row in rows), source="settlement")


def _searched_by_trials(specification: Specification, changes: Mapping[str, Any]) -> Specification:
    """A short search: the stories are not about the best model."""
    document = {**specification.canonical, **changes}
    models = {**document["models"], "search": {"seconds": 3600, "trials": 4}}
    return Specification.model_validate({**document, "models": models})
