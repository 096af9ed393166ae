"""A version whose file is damaged answers nothing: it is gone back from without any label, and rows are answered."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from homeostat.simulation.assembly import Knobs, services_of
from shared.models.store import FileStore
from shared.topics import ALERTS, AUDIT, MODEL_PUBLISHED, PREDICTIONS
from tests.flows.loop import KEY, Loop

pytestmark = pytest.mark.xdist_group("unanswering")

BATCH, BEGINS, DAMAGED, ENDS = 100, 2000, 3000, 4500
CHANGES: dict[str, Any] = {"models": {"candidates": ["logistic"], "min_rows": BEGINS, "train_rows": BEGINS}}


class Story:
    """The electricity example; version 2 is brought by a person, and its file is damaged as the predictor restarts."""

    def __init__(self, folder: Path) -> None:
        self.loop = Loop("electricity", folder, changes=CHANGES)
        self.row = 0
        self.run(BEGINS, labels=True)
        self.loop.simulation.advance(20.0)
        self.loop.ask("promote", {"candidate": self.loop.candidate(self.row, folder), "force": True})
        self.run(DAMAGED, labels=True)
        (last,) = {m.artifact.sha256 for m in self.loop.simulation.messages(MODEL_PUBLISHED) if m.version == "2"}
        (folder / "artifacts" / last).write_bytes(b"not what was trained")
        afresh = services_of(Knobs(), FileStore(folder / "artifacts"), KEY)
        self.loop.runtime.crash("predictor", afresh["predictor"])
        self.run(ENDS, labels=False)

    def run(self, until: int, *, labels: bool) -> None:
        simulation = self.loop.simulation
        while self.row < until:
            rows = self.loop.table[self.row : self.row + BATCH]
            simulation.put_rows(rows, source="market")
            if labels:
                simulation.put_labels([(str(row["id"]), row["target"]) for row in rows], source="settlement")
            self.row += BATCH
            simulation.advance(1.0)


@pytest.fixture(scope="module")
def story(tmp_path_factory: pytest.TempPathFactory) -> Story:
    return Story(tmp_path_factory.mktemp("unanswering"))


def test_it_is_blamed_for_the_rows_that_it_does_not_answer(story: Story) -> None:
    firing = [a for a in story.loop.simulation.messages(ALERTS) if a.kind == "errors" and a.state == "firing"]

    assert [(a.causes[0].kind, a.causes[0].what, a.severity) for a in firing] == [("version", "2", "critical")]


def test_the_version_before_it_answers_within_200_rows(story: Story) -> None:
    silent = [p for p in story.loop.simulation.messages(PREDICTIONS) if p.reason and p.model_version == "2"]

    assert 0 < len(silent) <= 200
    assert story.loop.simulation.messages(PREDICTIONS)[-1].model_version == "1"


def test_its_incident_is_resolved_once_rows_are_answered_again(story: Story) -> None:
    entries = story.loop.simulation.messages(AUDIT)
    opened = next(e.incident for e in entries if e.kind == "incident_opened" and "gave no answer" in e.summary)
    told = [(e.kind, e.summary) for e in entries if e.incident == opened]

    assert [summary.split(":")[0] for kind, summary in told if kind == "command_issued"] == [
        "rollback",
        "tell a person",
    ]
    assert ("incident_resolved", "healed itself: the rollback to version 1 worked: the alert has resolved") in told
