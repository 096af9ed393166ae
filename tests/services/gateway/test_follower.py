"""What the gateway does when following the log goes wrong."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Mapping, Sequence
from itertools import count
from pathlib import Path
from typing import Any

import pytest

from services.gateway.follower import Folded, Follower, MarksAt
from services.gateway.hub import Hub, Subscriber
from services.gateway.parts import LoopSink
from services.gateway.readmodel.entry import Entry, entry_of
from services.gateway.service import SECTIONS, ReadModels
from shared.bus.base import NewRecord
from shared.bus.memory import MemoryBus
from shared.clock import utc_now
from shared.codec import encode
from shared.runtime.installation import topic_specs
from shared.runtime.meter import Meter
from shared.settings import CommonSettings
from shared.telemetry.metrics import Meters
from shared.topics import ALERTS, COMMANDS, Topic, topics_read_by
from tests.services.gateway.messages import alert, command


class Choosy(ReadModels):
    """Read models with a mistake of ours in them: one alert is more than they can take."""

    def fold(self, topic: str, entries: Sequence[Entry[Any]]) -> None:
        if any(entry.message.id == "odd" for entry in entries):
            raise KeyError("odd")
        super().fold(topic, entries)


class FailsOnce:
    """A sink that fails the first time it is given anything."""

    def __init__(self) -> None:
        self.failures = 0
        self.taken: list[str] = []
        self.done = threading.Event()

    def begin(self, positions: Mapping[tuple[str, int], int]) -> None:
        pass

    def fold(self, topic: str, entries: Sequence[Entry[Any]]) -> None:
        if not self.failures:
            self.failures += 1
            raise KeyError("a mistake of ours")
        self.taken += [entry.message.id for entry in entries]
        self.done.set()


class Collects:
    """A sink that keeps the ids it was given."""

    def __init__(self) -> None:
        self.taken: list[str] = []

    def begin(self, positions: Mapping[tuple[str, int], int]) -> None:
        pass

    def fold(self, topic: str, entries: Sequence[Entry[Any]]) -> None:
        self.taken += [entry.message.id for entry in entries]


def log_with(*ids: str) -> MemoryBus:
    settings = CommonSettings(bootstrap_servers="memory", data_dir=Path())
    bus = MemoryBus()
    bus.ensure_topics(topic_specs(settings), timeout=0.0)
    bus.producer("test").send([NewRecord(ALERTS.name, b"p", encode(alert(id=id_))) for id_ in ids], 1.0)
    return bus


def test_a_message_that_a_read_model_cannot_take_is_passed_over_counted_and_streamed_all_the_same() -> None:
    models, hub, meter = Choosy(), Hub(), Meter("gateway", "0", utc_now(), Meters())
    sink, listener = LoopSink(models, hub, meter), Subscriber(["alerts"], 10)
    hub.attach(listener)
    entries = [entry_of(ALERTS, record) for record in log_with("a", "odd", "b").records(ALERTS.name)]

    async def fold() -> list[Entry[Any]]:
        sink.loop = asyncio.get_running_loop()
        await asyncio.to_thread(sink.fold, "alerts", entries)
        return await listener.take()

    streamed = asyncio.run(fold())

    assert [found.id for found in models.alerts.firing()] == ["a", "b"]
    assert [entry.message.id for entry in streamed] == ["a", "odd", "b"]
    assert meter.errors == 1


def test_an_unforeseen_failure_does_not_end_the_following() -> None:
    sink = FailsOnce()
    follower = Follower(log_with("a", "b"), str, sink)
    follower.start()
    try:
        assert sink.done.wait(10)
    finally:
        follower.stop()

    assert sink.failures == 1
    assert sink.taken == ["a", "b"]


def test_what_people_are_told_of_comes_in_the_order_of_its_time_whatever_its_topic() -> None:
    """A client gives what has come topic by topic."""
    told = [
        (COMMANDS, command(id="page", action="notify")),
        (ALERTS, alert(id="over", state="resolved")),
        (COMMANDS, command(id="end", action="notify")),
    ]
    ticks = count()
    bus, sink = MemoryBus(lambda: next(ticks)), Collects()
    bus.ensure_topics(topic_specs(CommonSettings(bootstrap_servers="memory", data_dir=Path())), timeout=0.0)
    bus.producer("test").send([NewRecord(topic.name, b"p", encode(message)) for topic, message in told], 1.0)
    follower = Follower(bus, str, sink)
    follower.start()
    try:
        assert follower.ready.wait(10)
    finally:
        follower.stop()

    assert sink.taken == ["page", "over", "end"]


def test_it_is_ready_when_all_that_was_there_is_folded_markers_of_transactions_passed() -> None:
    bus, sink = log_with(*(f"alert-{n}" for n in range(2500))), Collects()
    bus.transaction("g", "s", "s").commit([NewRecord(ALERTS.name, b"p", encode(alert(id="last")))], {})
    follower = Follower(bus, str, sink)
    follower.start()
    try:
        assert follower.ready.wait(10)
        known = list(sink.taken)
    finally:
        follower.stop()

    assert len(known) == 2501
    assert known[-1] == "last"


class Saves:
    """What is kept of nothing, and how far it was when it was to be kept."""

    def __init__(self) -> None:
        self.saved: list[Folded] = []

    def restore(self, ends: Mapping[tuple[str, int], int], marks_at: MarksAt) -> Folded:
        return Folded()

    def save(self, folded: Folded) -> None:
        self.saved.append(folded)


class Takes:
    """A sink that takes anything."""

    def begin(self, positions: Mapping[tuple[str, int], int]) -> None:
        pass

    def fold(self, topic: str, entries: Sequence[Entry[Any]]) -> None:
        pass


@pytest.mark.parametrize("topic", topics_read_by("gateway"), ids=lambda topic: topic.name)
def test_what_a_snapshot_holds_is_saved_when_it_has_changed_and_read_on_from_there(topic: Topic[Any]) -> None:
    bus, keep = log_with(), Saves()
    bus.producer("test").send([NewRecord(topic.name, b"p", b"whatever it says", partition=0)], 1.0)
    follower = Follower(bus, str, Takes(), keep)
    follower.start()
    try:
        assert follower.ready.wait(10)
    finally:
        follower.stop()

    held = topic.name in SECTIONS.values()
    assert len(keep.saved) == held
    assert [place for folded in keep.saved for place in folded.positions] == [(topic.name, 0)] * held
    assert [place for folded in keep.saved for place in folded.marks] == [(topic.name, 0)] * held
