"""The pulse of every part, from its heartbeats."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from services.gateway.readmodel.entry import Entry
from shared.messages import Heartbeat

SILENT_SECONDS = 20.0
FORGOTTEN_SECONDS = 3600.0


class HealthBook:
    """The two newest heartbeats of each service's instance: state now, rates between.

    How old one is, the log's time tells: the clock of an instance may be hours wrong.
    """

    def __init__(self) -> None:
        self._beats: dict[tuple[str, str], tuple[Heartbeat | None, Entry[Heartbeat]]] = {}

    def __len__(self) -> int:
        """How many instances are remembered."""
        return len(self._beats)

    def on_telemetry(self, entries: Sequence[Entry[Heartbeat]]) -> None:
        for entry in entries:
            beat = entry.message
            place = (beat.service, beat.instance)
            if place not in self._beats:
                self._forget(entry.at)
            _, before = self._beats.get(place, (None, None))
            self._beats[place] = (before.message if before else None, entry)

    def _forget(self, now: datetime) -> None:
        """Instances come and go for ever, by other names each time."""
        self._beats = {place: beats for place, beats in self._beats.items() if _age(beats[1], now) < FORGOTTEN_SECONDS}

    def view(self, now: datetime) -> list[dict[str, Any]]:
        """By service. Down parts stay for an hour; an instance that a newer one replaced goes at once."""
        alive = {service for (service, _), (_, heard) in self._beats.items() if _age(heard, now) < SILENT_SECONDS}
        return [
            _view(before, heard, now)
            for (service, _), (before, heard) in sorted(self._beats.items(), key=lambda item: item[0])
            if _age(heard, now) < (SILENT_SECONDS if service in alive else FORGOTTEN_SECONDS)
        ]


def _age(heard: Entry[Heartbeat], now: datetime) -> float:
    return (now - heard.at).total_seconds()


def _view(before: Heartbeat | None, heard: Entry[Heartbeat], now: datetime) -> dict[str, Any]:
    beat = heard.message
    return {
        "service": beat.service,
        "instance": beat.instance,
        "state": _state(heard, now),
        "since": beat.started.isoformat(),
        "seconds_since_beat": round(_age(heard, now), 1),
        "records_in": beat.records_in,
        "records_out": beat.records_out,
        "dead": beat.dead,
        "errors": beat.errors,
        "lag": sum(beat.lag.values()),
        "lag_by_topic": dict(beat.lag),
        "step_seconds": beat.step_seconds,
        "rss_mb": round(beat.rss_bytes / 1e6, 1),
        "records_per_second": _rate(before, beat),
        "incomplete": beat.incomplete,
    }


def _state(heard: Entry[Heartbeat], now: datetime) -> str:
    beat = heard.message
    if beat.state == "down":
        return "down"
    if _age(heard, now) >= SILENT_SECONDS:
        return "silent"
    return "starting" if beat.starting else beat.state


def _rate(before: Heartbeat | None, beat: Heartbeat) -> float:
    if before is None or before.started != beat.started:
        return 0.0
    seconds = (beat.at - before.at).total_seconds()
    return round((beat.records_in - before.records_in) / seconds, 1) if seconds > 0 else 0.0
