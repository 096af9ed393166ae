"""Alerts: the newest state of each firing, and which record first told of it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from services.gateway.readmodel.entry import Entry, in_order, plain
from shared.messages import Alert, LogPosition

ALERTS_KEPT = 5000
RECORDS_PER_ALERT = 20


@dataclass(slots=True)
class AlertState:
    """One firing: its records, oldest first. Of a run of one state and severity the first and the newest stay."""

    entries: list[Entry[Alert]] = field(default_factory=list)

    def add(self, entry: Entry[Alert]) -> Entry[Alert] | None:
        """Takes a record; returns the one that is given up for it, if any."""
        self.entries.append(entry)
        if len(self.entries) > 2 and len({(e.message.state, e.message.severity) for e in self.entries[-3:]}) == 1:
            return self.entries.pop(-2)
        return self.entries.pop(1) if len(self.entries) > RECORDS_PER_ALERT else None

    @property
    def newest(self) -> Alert:
        return self.entries[-1].message

    @property
    def view(self) -> dict[str, Any]:
        return plain(self.newest) | self.entries[-1].place | {"first": self.entries[0].place}


class AlertBook:
    """The newest `ALERTS_KEPT` alerts by id; resolved ones are forgotten first."""

    def __init__(self, kept: int = ALERTS_KEPT) -> None:
        self._kept = kept
        self._alerts: dict[str, AlertState] = {}
        self._by_position: dict[tuple[int, int], str] = {}

    def on_alerts(self, entries: Sequence[Entry[Alert]]) -> None:
        for entry in entries:
            given_up = self._alerts.setdefault(entry.message.id, AlertState()).add(entry)
            self._by_position[entry.partition, entry.offset] = entry.message.id
            if given_up is not None:
                self._by_position.pop((given_up.partition, given_up.offset), None)
        while len(self._alerts) > self._kept:
            self._forget(next((i for i, s in self._alerts.items() if s.newest.state == "resolved"), None))

    def _forget(self, alert: str | None) -> None:
        gone = self._alerts.pop(alert if alert is not None else next(iter(self._alerts)))
        for entry in gone.entries:
            self._by_position.pop((entry.partition, entry.offset), None)

    def get(self, alert: str) -> AlertState | None:
        return self._alerts.get(alert)

    def at(self, position: LogPosition) -> str | None:
        """The id of the alert whose record stands at this place of `alerts`."""
        return self._by_position.get((position.partition, position.offset))

    def select(
        self, *, pipeline: str | None, state: str | None, kind: str | None = None, limit: int = 200
    ) -> list[dict[str, Any]]:
        """Firing first, then newest first."""
        found = [
            alert
            for alert in self._alerts.values()
            if pipeline in (None, alert.newest.pipeline)
            and state in (None, alert.newest.state)
            and kind in (None, alert.newest.kind)
        ]
        found.sort(key=lambda alert: (alert.newest.state != "firing", -alert.newest.since.timestamp()))
        return [alert.view for alert in found[:limit]]

    def held(self) -> list[Entry[Alert]]:
        """All records that are remembered."""
        return in_order(entry for state in self._alerts.values() for entry in state.entries)

    def firing(self) -> list[Alert]:
        return [state.newest for state in self._alerts.values() if state.newest.state == "firing"]
