"""The demo's stream: its pace."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, cast

from homeostat.client import Client
from homeostat.demo.player import Player
from homeostat.demo.story import Story
from homeostat.tally import Tally

STORY = Story(rows=60, warm_up=0, label_lag=5, field="price", factor=1000.0, faults=())
TABLE = [{"id": str(row), "price": 1.0, "up": 1} for row in range(STORY.rows)]
TICK = 0.1


class Clock:
    """A tick later each time it is asked."""

    def __init__(self) -> None:
        self.second = 0.0

    def __call__(self) -> float:
        self.second += TICK
        return self.second


class Gateway:
    """Takes everything, and keeps how many rows came at once."""

    def __init__(self) -> None:
        self.events: list[int] = []
        self.labels = 0

    def send_events(self, pipeline: str, rows: Sequence[Mapping[str, Any]], source: str) -> Tally:
        self.events.append(len(rows))
        return Tally()

    def send_labels(self, pipeline: str, labels: Sequence[Mapping[str, Any]], source: str) -> None:
        self.labels += len(labels)


def test_what_was_held_up_does_not_come_in_one_flood() -> None:
    gateway, clock = Gateway(), Clock()

    def hold() -> None:
        clock.second += 40.0

    Player(cast(Client, gateway), "p", "up", TABLE, STORY, 100.0, {20: hold}, clock=clock).play()

    assert sum(gateway.events) == gateway.labels == STORY.rows
    assert max(gateway.events) <= 2 * 100.0 * TICK
