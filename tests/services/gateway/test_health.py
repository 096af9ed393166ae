"""How the parts are shown, from their heartbeats."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from services.gateway.readmodel.entry import Entry
from services.gateway.readmodel.health import FORGOTTEN_SECONDS, HealthBook
from shared.messages import Heartbeat
from shared.topics import TELEMETRY
from tests.services.gateway.messages import START, heartbeat


def book_of(*beats: Heartbeat) -> HealthBook:
    book = HealthBook()
    book.on_telemetry([Entry(TELEMETRY.name, 0, offset, beat.at, beat) for offset, beat in enumerate(beats)])
    return book


def shown(*beats: Heartbeat, seconds: float = 0.0) -> list[dict[str, Any]]:
    return book_of(*beats).view(START + timedelta(seconds=seconds))


def test_a_server_that_has_not_come_back_yet_is_starting_and_not_leaving() -> None:
    starting = heartbeat("mlflow", START, state="draining", starting=True)
    leaving = heartbeat("trainer", START, state="draining")

    assert [part["state"] for part in shown(starting, leaving)] == ["starting", "draining"]


def test_one_that_was_starting_and_is_not_heard_of_is_silent() -> None:
    starting = heartbeat("gateway", START, starting=True)

    assert [part["state"] for part in shown(starting, seconds=60)] == ["silent"]


def test_what_a_restored_state_lacks_is_shown() -> None:
    (part,) = shown(heartbeat("monitor", START, incomplete="monitor: records are gone"))

    assert (part["state"], part["incomplete"]) == ("running", "monitor: records are gone")


def test_instances_of_other_names_each_time_are_forgotten() -> None:
    hours = [START + timedelta(seconds=FORGOTTEN_SECONDS) * n for n in range(50)]
    book = book_of(*(heartbeat("ingest", when, instance=f"pod-{n}") for n, when in enumerate(hours)))

    assert len(book) <= 2


def test_an_instance_whose_clock_is_hours_wrong_hides_no_other_and_is_shown_for_what_it_is() -> None:
    book = HealthBook()
    wrong = [timedelta(0), timedelta(hours=5), timedelta(hours=-5)]
    for n, by in enumerate(wrong):
        beat = heartbeat("ingest", START + by, instance=f"{n}")
        book.on_telemetry([Entry(TELEMETRY.name, 0, n, START + timedelta(seconds=n), beat)])

    shown = [
        (part["instance"], part["state"], part["seconds_since_beat"])
        for part in book.view(START + timedelta(seconds=2))
    ]

    assert shown == [("0", "running", 2.0), ("1", "running", 1.0), ("2", "running", 0.0)]
