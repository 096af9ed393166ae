"""What the monitor takes of columns is what it takes of messages, to the last bit of its state."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from homeostat.backtesting.columns import Columns
from homeostat.backtesting.exchange import Post
from homeostat.backtesting.features import features_of
from homeostat.backtesting.history import history_of
from homeostat.backtesting.lanes import FeatureRun, IngestLane
from homeostat.backtesting.log import ColumnBus
from homeostat.backtesting.loop import START
from homeostat.backtesting.watching import MonitorLane
from homeostat.simulation.simulation import definition_of
from services.ingest.service import Ingest
from services.ingest.settings import IngestSettings
from services.monitor.service import Monitor
from shared.pipeline.span import Span
from shared.pipeline.specification import Specification
from shared.service import Batch
from shared.topics import FEATURES

ROWS = 600
FIELDS: dict[str, Any] = {
    "id": {"type": "string"},
    "price": {"type": "number", "nullable": True},
    "count": {"type": "integer"},
    "colour": {"type": "string", "nullable": True},
    "open": {"type": "boolean"},
    "at": {"type": "timestamp"},
    "up": {"type": "boolean"},
}


def rows(timed: bool) -> list[dict[str, Any]]:
    return [
        {
            "id": f"r{n}",
            "price": None if n % 7 == 0 else n / 3,
            "count": n % 5,
            "colour": ("red", "green", None, "blue")[n // 50 % 4],
            "open": n % 3 == 0,
            "up": n % 2 == 0,
        }
        | ({"at": (START + timedelta(minutes=n)).isoformat()} if timed else {})
        for n in range(ROWS)
    ]


@pytest.mark.parametrize("timed", [True, False])
@pytest.mark.parametrize("slices", [(), ("colour", "count")])
def test_columns_and_messages_leave_the_same_state(timed: bool, slices: tuple[str, ...]) -> None:
    fields = {name: kind for name, kind in FIELDS.items() if timed or name != "at"}
    document: dict[str, Any] = {"name": "shop", "kind": "binary", "schema": fields, "id": "id", "target": "up"}
    document |= {"monitor": {"slices": slices, "reference_rows": 200, "window": 100}}
    specification = Specification.model_validate(document | ({"timestamp": "at"} if timed else {}))
    history = history_of(Columns.of_rows(rows(timed)), specification, Span(time=timedelta(0)), 1.0)
    table = features_of(history)
    ingest = IngestLane(Ingest(0, IngestSettings()), history, table, ColumnBus(), lambda *_, **__: None)
    by_column, by_message = MonitorLane(Monitor(), history, table), MonitorLane(Monitor(), history, table)
    defined = definition_of(specification, 1, START)

    said = []
    for lane in (by_column, by_message):
        lane.service.on_pipelines(Batch("pipelines", 0, [0], [defined]), START)
        messages: list[Any] = []
        for first in range(0, ROWS, 90):
            now = START + timedelta(minutes=first)
            run = FeatureRun(first, min(first + 90, ROWS), now, list(range(first, min(first + 90, ROWS))))
            content = run if lane is by_column else ingest.full(run, 0, run.stop - run.start)
            messages += lane.take(FEATURES, Post(range(run.start, run.stop), content), now).messages
        said.append(messages)

    assert len(table.places) == ROWS
    assert said[0] == said[1]
    assert len(said[0]) > 3
    assert by_column.service.save() == by_message.service.save()
