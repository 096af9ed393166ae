"""A wrong file harms itself alone: the whole loop over files of which some are in another unit, or half broken."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from random import Random
from typing import Any

import pytest

from homeostat.simulation import Simulation
from shared.messages import Command, Features
from shared.pipeline.specification import Specification
from shared.topics import ALERTS, COMMANDS, FEATURES

Row = dict[str, Any]
SPECIFICATION = Specification.model_validate(
    {
        "name": "shop",
        "kind": "binary",
        "schema": {
            "id": {"type": "string"},
            "price": {"type": "number"},
            "load": {"type": "number", "range": [0, 1000]},
            "code": {"type": "string"},
            "target": {"type": "integer"},
        },
        "id": "id",
        "target": "target",
        "monitor": {"reference_rows": 1000},
    }
)
LONG_KNOWN, WRONG, NEXT = "file:march.csv", "file:wrong.csv", "file:april.csv"


class Shop:
    """Files sent one after the other; nobody trains, for there are no labels."""

    def __init__(self, folder: Path, specification: Specification = SPECIFICATION) -> None:
        self.simulation = Simulation(specification, folder)
        self.random = Random("wrong files")
        self.rows = 0
        self.send(LONG_KNOWN, 1500)

    def send(self, source: str, rows: int, change: Callable[[Row], Row] = lambda row: row) -> None:
        for _ in range(0, rows, 100):
            self.simulation.put_rows([change(self._row()) for _ in range(100)], source=source)
            self.simulation.advance(1.0)

    def _row(self) -> Row:
        self.rows += 1
        return {
            "id": str(self.rows),
            "price": self.random.gauss(18, 3),
            "load": self.random.gauss(100, 10),
            "code": f"{self.random.randrange(16**8):08x}",
        }

    @property
    def orders(self) -> list[tuple[str, object]]:
        """What was ordered about whom, messages to people left out."""
        commands: list[Command] = self.simulation.messages(COMMANDS)
        return [(c.action, c.arguments["source"]) for c in commands if c.action != "notify"]

    def withheld(self, source: str) -> list[tuple[str, ...]]:
        features: list[Features] = self.simulation.messages(FEATURES)
        return [row.withheld for row in features if row.source == source and row.withheld]


@pytest.fixture
def shop(tmp_path: Path) -> Shop:
    return Shop(tmp_path)


def times_1000(row: Row) -> Row:
    return row | {"price": row["price"] * 1000}


def test_what_one_file_has_wrong_is_withheld_from_no_other_and_ends_with_it(shop: Shop) -> None:
    shop.send(WRONG, 400, times_1000)
    assert shop.orders == [("quarantine_source", WRONG)]
    assert set(shop.withheld(WRONG)) == {("price",)}

    shop.send(NEXT, 1000)

    assert shop.orders == [("quarantine_source", WRONG), ("release_source", WRONG)]
    assert shop.withheld(NEXT) == []
    assert [alert.state for alert in shop.simulation.messages(ALERTS)] == ["firing", "resolved"]


def test_rows_that_were_refused_take_nothing_from_the_other_rows_of_their_file(shop: Shop) -> None:
    def partly_broken(row: Row) -> Row:
        return row | ({"load": "much"} if int(row["id"]) % 3 == 0 else {})

    shop.send(WRONG, 600, partly_broken)

    (alert,) = [alert for alert in shop.simulation.messages(ALERTS) if alert.state == "firing"]
    assert f"mostly from {WRONG}" in alert.summary
    assert shop.orders == []
    assert shop.withheld(WRONG) == []


def test_what_a_person_accepts_is_usual_from_then_on_and_anything_else_is_not(shop: Shop) -> None:
    shop.send(WRONG, 200, times_1000)
    shop.simulation.ask("release_source", {"source": WRONG, "accept": True})
    shop.send(WRONG, 300, times_1000)
    shop.send(NEXT, 300, times_1000)
    shop.send(LONG_KNOWN, 300)

    assert [alert.state for alert in shop.simulation.messages(ALERTS) if alert.kind == "data_quality"] == [
        "firing",
        "resolved",
    ]
    assert shop.withheld(NEXT) == []

    shop.send("file:odd.csv", 200, lambda row: times_1000(times_1000(row)))

    assert shop.orders[-1] == ("quarantine_source", "file:odd.csv")


def test_a_person_lifts_a_quarantine_before_it_ends_by_itself(shop: Shop) -> None:
    shop.send(WRONG, 200, times_1000)
    before = len(shop.withheld(WRONG))

    shop.simulation.ask("release_source", {"source": WRONG})
    shop.simulation.advance(1.0)
    shop.send(WRONG, 300, times_1000)

    assert before > 0
    assert len(shop.withheld(WRONG)) == before
    assert shop.orders == [("quarantine_source", WRONG), ("release_source", WRONG)]


def test_each_of_several_wrong_files_is_given_back_when_it_is_over_also_while_another_goes_on(shop: Shop) -> None:
    for name in ("one", "two", "three"):
        shop.send(f"file:{name}.csv", 150, times_1000)
    shop.send("file:three.csv", 600, times_1000)

    released = [source for action, source in shop.orders if action == "release_source"]
    assert released == ["file:one.csv", "file:two.csv"]

    shop.send(NEXT, 600)

    released = [source for action, source in shop.orders if action == "release_source"]
    assert released == ["file:one.csv", "file:two.csv", "file:three.csv"]


def test_a_text_that_is_nearly_unique_brings_no_order_in_any_file(shop: Shop) -> None:
    shop.send(NEXT, 1500)
    shop.send("file:may.csv", 1500)

    assert shop.orders == []
    assert shop.simulation.messages(ALERTS) == []


def test_a_field_that_no_input_is_made_of_is_told_of_and_not_withheld(tmp_path: Path) -> None:
    features = {"price": {"expression": "price"}, "load": {"expression": "load"}}
    unused = Shop(tmp_path, Specification.model_validate({**SPECIFICATION.canonical, "features": features}))

    unused.send(WRONG, 400, lambda row: row | {"code": "00000000"})

    assert unused.orders == []
    assert unused.withheld(WRONG) == []
    (alert,) = unused.simulation.messages(ALERTS)
    assert (alert.severity, alert.causes[0].what) == ("info", "code")
