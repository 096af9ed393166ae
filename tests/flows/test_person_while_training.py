"""While a training runs, a person forces a wrong version and then a good one: each is live at once, the wrong one is
undone at once, and what was trained is judged against the version that answers when it is done.
"""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from homeostat.demo import bad_release
from shared.messages import Command, CommandResult
from shared.topics import COMMAND_RESULTS, COMMANDS, PREDICTIONS
from tests.flows.loop import KEY, Loop

pytestmark = pytest.mark.xdist_group("person")

BATCH = 100
BEGINS, WRONG, GOOD, ENDS = 2000, 2200, 3400, 6500
TRAINING_SECONDS = 20.0
CHANGES: dict[str, Any] = {"models": {"candidates": ["logistic"], "min_rows": BEGINS, "train_rows": BEGINS}}


class Story:
    """The electricity example, a hundred rows a second; a retrain is asked for at row `BEGINS`."""

    def __init__(self, folder: Path) -> None:
        self.loop = Loop("electricity", folder, training_seconds=TRAINING_SECONDS, changes=CHANGES)
        self.row = 0
        self.run(BEGINS)
        self.loop.simulation.advance(TRAINING_SECONDS)
        self.loop.ask("retrain", {})
        self.run(WRONG)
        self.force(bad_release.wrong_candidate(self.loop.specification, self.loop.table, WRONG, folder, KEY))
        self.run(GOOD)
        self.force(self.loop.candidate(self.row, folder))
        self.run(ENDS)

    def run(self, until: int) -> None:
        simulation = self.loop.simulation
        while self.row < until:
            rows = self.loop.table[self.row : self.row + BATCH]
            simulation.put_rows(rows, source="market")
            simulation.put_labels([(str(row["id"]), row["target"]) for row in rows], source="settlement")
            self.row += BATCH
            simulation.advance(1.0)

    def force(self, candidate: dict[str, Any]) -> None:
        self.loop.ask("promote", {"candidate": candidate, "force": True})

    def commands(self, action: str) -> list[Command]:
        return [each for each in self.loop.runtime.messages(COMMANDS) if each.action == action]

    def results(self, command: Command) -> list[CommandResult]:
        return [each for each in self.loop.runtime.messages(COMMAND_RESULTS) if each.command == command.id]


@pytest.fixture(scope="module")
def told(tmp_path_factory: pytest.TempPathFactory) -> Story:
    return Story(tmp_path_factory.mktemp("person"))


def test_each_version_that_a_person_forces_is_live_within_seconds_and_the_training_goes_on(told: Story) -> None:
    ended = told.results(told.commands("retrain")[0])[-1].at
    promotions = told.commands("promote")

    assert len(promotions) == 2
    for promotion in promotions:
        done = told.results(promotion)[-1]
        assert done.state == "succeeded"
        assert done.at - promotion.at < timedelta(seconds=3)
        assert done.at < ended


def test_the_wrong_one_is_rolled_back_while_the_training_still_runs(told: Story) -> None:
    wrong, good = told.commands("promote")
    (rollback,) = told.commands("rollback")

    assert rollback.issued_by.startswith("policy:")
    assert rollback.arguments == {"to_version": "1"}
    assert wrong.at < rollback.at < good.at
    assert [told.results(each)[-1].model_version for each in (wrong, rollback, good)] == ["2", "1", "3"]


def test_the_training_is_judged_against_the_version_that_answers_by_then(told: Story) -> None:
    retrain = told.commands("retrain")[0]
    again, done = told.results(retrain)[-2:]

    assert (again.state, again.detail.partition(":")[0]) == ("running", "version 3 answers by now")
    assert again.at - retrain.at >= timedelta(seconds=TRAINING_SECONDS)
    assert done.at - again.at >= timedelta(seconds=TRAINING_SECONDS)
    assert done.state in ("succeeded", "failed")
    assert "champion's" in done.detail


def test_every_row_is_answered_once(told: Story) -> None:
    answers = [each.id for each in told.loop.runtime.messages(PREDICTIONS)]

    assert len(answers) == len(set(answers)) == ENDS
