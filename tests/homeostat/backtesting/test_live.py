"""The same policies over the same history decide the same live, on a real broker."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from pydantic import TypeAdapter

from homeostat.backtesting.columns import Columns
from homeostat.backtesting.features import features_of
from homeostat.backtesting.history import History, history_of
from homeostat.backtesting.loop import Pace, Told, replayed
from shared.pipeline.span import Span
from shared.pipeline.specification import Policy
from shared.topics import ALERTS, COMMANDS, MODEL_PUBLISHED
from tests.homeostat.backtesting.histories import SPECIFICATION, eventful
from tests.homeostat.backtesting.live import Live

pytestmark = [pytest.mark.kafka, pytest.mark.slow]
BATCH = 200
POLICIES = TypeAdapter(tuple[Policy, ...]).validate_python(
    [
        {
            "name": "withhold",
            "when": {"kinds": ["data_quality"], "causes": ["feature"]},
            "ladder": [{"action": "quarantine_source", "metric": "alert.resolved"}],
        },
        {
            "name": "learn",
            "when": {"kinds": ["performance", "concept_drift"]},
            "ladder": [{"action": "retrain", "verify_rows": 200}],
        },
    ]
)


@pytest.fixture(scope="module")
def history() -> History:
    rows = eventful(3200, turn=1300, wrong=range(2200, 2600))
    return history_of(Columns.of_rows(rows), SPECIFICATION, Span(time=SPECIFICATION.label_delay), 1.0)


@pytest.fixture(scope="module")
def told(history: History, tmp_path_factory: pytest.TempPathFactory) -> Told:
    pace = Pace(batch=BATCH, rate=100.0, training_seconds=0.005)
    return replayed(history, features_of(history), pace, tmp_path_factory.mktemp("backtest"), policies=POLICIES)


@pytest.fixture(scope="module")
def live(history: History, kafka_bootstrap: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Live]:
    folder: Path = tmp_path_factory.mktemp("live")
    running = Live(history, kafka_bootstrap, f"{folder.name}.", folder, partitions=4, policies=POLICIES)
    running.play(BATCH, (ALERTS, COMMANDS, MODEL_PUBLISHED))
    yield running
    running.close()


def test_the_same_is_ordered_at_the_same_rows(told: Told, live: Live) -> None:
    ours = [(said.row, said.message.action, said.message.reason) for said in told.of(COMMANDS)]
    theirs = [
        (row, one.action, one.reason) for row, one in zip(live.rows[COMMANDS.name], live.of(COMMANDS), strict=True)
    ]
    assert {action for _, action, _ in ours} >= {"retrain", "quarantine_source"}
    assert ours == theirs


def test_the_same_is_raised_at_the_same_rows(told: Told, live: Live) -> None:
    ours = [(s.row, s.message.kind, s.message.state) for s in told.of(ALERTS) if s.message.severity != "info"]
    theirs = zip(live.rows[ALERTS.name], live.of(ALERTS), strict=True)
    assert ours == [(row, a.kind, a.state) for row, a in theirs if a.severity != "info"]


def test_the_same_versions_go_live_at_the_same_rows(told: Told, live: Live) -> None:
    ours = [(said.row, said.message.version, said.message.stage) for said in told.of(MODEL_PUBLISHED)]
    published = zip(live.rows[MODEL_PUBLISHED.name], live.of(MODEL_PUBLISHED), strict=True)
    assert ours == [(row, m.version, m.stage) for row, m in published]
