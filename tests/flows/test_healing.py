"""The loop heals: the demo's story over real data, told by all services in memory under a virtual clock."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from pathlib import Path

import pytest

from homeostat.demo import bad_release
from homeostat.demo.story import Fault, Story
from services.remediator.core.ledger import verify
from shared.messages import AuditEntry, Command
from shared.topics import AUDIT, COMMANDS, DEAD_LETTERS, FEATURES, PREDICTIONS
from tests.flows.loop import KEY, Loop

pytestmark = pytest.mark.xdist_group("healing")

WARM_UP = 2000
CHANGE = Fault("unit-change", 3500, 4500, "the price arrives in thousandths")
RELEASE = Fault("bad-release", 6000, 6000, "a wrong version is promoted")
STORY = Story(rows=9000, warm_up=WARM_UP, label_lag=96, field="nswprice", factor=1000.0, faults=(CHANGE, RELEASE))
SPEED = 300
SAME_UNTIL = WARM_UP + 8 * SPEED
"""Within the first fault, at the end of a second's rows."""


@pytest.fixture(scope="module")
def told(tmp_path_factory: pytest.TempPathFactory) -> Loop:
    """The story, told once for all the claims below."""
    folder = tmp_path_factory.mktemp("flow")
    loop = Loop("electricity", folder, training_seconds=4.0)

    def release() -> None:
        candidate = bad_release.wrong_candidate(loop.specification, loop.table, RELEASE.begins, folder, KEY)
        loop.ask("promote", {"candidate": candidate, "force": True})

    loop.play(STORY, speed=SPEED, at_row={RELEASE.begins: release})
    return loop


def commands(loop: Loop) -> list[Command]:
    return loop.runtime.messages(COMMANDS)


def entries(loop: Loop) -> list[AuditEntry]:
    return loop.runtime.messages(AUDIT)


def test_every_event_has_exactly_one_prediction(told: Loop) -> None:
    counts = Counter(prediction.id for prediction in told.runtime.messages(PREDICTIONS))

    assert len(counts) == STORY.rows
    assert set(counts.values()) == {1}
    assert told.runtime.messages(DEAD_LETTERS) == []


def test_the_field_in_the_wrong_unit_is_withheld_for_the_stretch_and_given_back(told: Loop) -> None:
    orders = [c for c in commands(told) if c.action in ("quarantine_source", "release_source")]

    assert [order.action for order in orders][:2] == ["quarantine_source", "release_source"]
    assert orders[0].arguments["fields"] == ["nswprice"]
    withheld = [int(f.id.removeprefix("elec-")) for f in told.runtime.messages(FEATURES) if f.withheld]
    assert CHANGE.begins <= min(withheld) <= CHANGE.begins + 600
    assert CHANGE.ends <= max(withheld) <= CHANGE.ends + 600


def test_the_bad_release_is_rolled_back_to_the_version_before_it(told: Loop) -> None:
    answers = [p.model_version for p in told.runtime.messages(PREDICTIONS)][WARM_UP:]
    rollback = next(c for c in commands(told) if c.action == "rollback")
    promoted = next(c for c in commands(told) if c.action == "promote")

    assert promoted.at < rollback.at
    assert rollback.arguments["to_version"] in answers
    assert answers[-1] == rollback.arguments["to_version"] or "retrain" in {c.action for c in commands(told)}


def test_each_remedy_was_verified_and_its_incident_resolved(told: Loop) -> None:
    for action in ("quarantine_source", "rollback"):
        order = next(c for c in commands(told) if c.action == action)
        story = [entry for entry in entries(told) if entry.incident == order.incident]

        assert "verified" in [entry.kind for entry in story], action
        assert "incident_resolved" in [entry.kind for entry in story], action


def test_the_ledger_is_whole_and_each_entry_of_an_incident_points_into_the_log(told: Loop) -> None:
    ledger = entries(told)

    assert verify(ledger) is None
    assert all(entry.refs for entry in ledger if entry.kind in ("incident_opened", "command_result"))


def test_the_same_story_gives_the_same_bytes(told: Loop, tmp_path: Path) -> None:
    begins_alike = replace(STORY, rows=SAME_UNTIL, faults=(CHANGE,))
    again = Loop("electricity", tmp_path, training_seconds=4.0)

    again.play(begins_alike, speed=SPEED)

    until = max(record.timestamp_ms for record in again.runtime.records(PREDICTIONS))
    for topic, enough in ((PREDICTIONS, SAME_UNTIL), (COMMANDS, 1)):
        first, second = (
            [record.value for record in loop.runtime.records(topic) if record.timestamp_ms <= until]
            for loop in (told, again)
        )
        assert len(first) >= enough, topic.name
        assert first == second, topic.name
