"""What a service's log says of Kafka while it is away."""

from __future__ import annotations

from shared.bus.librdkafka.clients import Outage
from tests.support.logs import logged


class Clock:
    """Time that stands until it is moved."""

    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


def test_a_long_outage_is_said_once_then_every_half_minute_then_that_it_is_over() -> None:
    clock = Clock()
    away = Outage(clock)

    with logged() as lines:
        for _ in range(280):
            away.failed("Connection refused")
            away.check()
            clock.now += 0.25
        clock.now += 5
        away.check()
        away.check()

    assert [line["event"] for line in lines] == [
        "kafka cannot be reached",
        "kafka still cannot be reached",
        "kafka still cannot be reached",
        "kafka is back",
    ]
    assert [line.get("failures") for line in lines] == [None, 121, 241, 280]
    assert lines[-1]["seconds"] == 70


def test_the_next_outage_is_said_anew() -> None:
    clock = Clock()
    away = Outage(clock)

    with logged() as lines:
        for _ in range(2):
            away.failed("Connection refused")
            clock.now += 6
            away.check()

    assert [line["event"] for line in lines] == ["kafka cannot be reached", "kafka is back"] * 2


def test_while_all_is_well_nothing_is_said() -> None:
    away = Outage(Clock())

    with logged() as lines:
        away.check()

    assert lines == []
