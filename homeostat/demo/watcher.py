"""Reads the topics as any client could, and keeps what the demo shows and judges."""

from __future__ import annotations

import threading
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from services.remediator.core.limits import SYSTEM
from shared.bus.base import Bus, Record
from shared.clock import monotonic
from shared.codec import decode
from shared.errors import Transient
from shared.messages import Alert, AuditEntry, ModelPublished, Prediction, Value
from shared.settings import CommonSettings
from shared.topics import ALERTS, AUDIT, MODEL_PUBLISHED, PREDICTIONS, Topic

WATCHED: tuple[Topic[Any], ...] = (PREDICTIONS, ALERTS, AUDIT, MODEL_PUBLISHED)


@dataclass(frozen=True, slots=True)
class Seen:
    """A control message with the second at which it was read and how many rows had been answered by then."""

    message: Alert | AuditEntry | ModelPublished
    second: float
    row: int


@dataclass(slots=True)
class Observation:
    """What was seen so far. `answers` maps row to (prediction, version)."""

    answers: dict[int, tuple[Value, str]] = field(default_factory=dict)
    events: list[Seen] = field(default_factory=list)
    last_row: int = -1


class Watcher:
    """Follows what is said of a pipeline and of Homeostat itself, from the topics' end on, in a thread of its own."""

    def __init__(self, bus: Bus, settings: CommonSettings, pipeline: str, row_of: Mapping[str, int]) -> None:
        self._reader = bus.reader("homeostat-demo")
        self._names = {settings.full_name(topic.name): topic for topic in WATCHED}
        self._pipeline = pipeline
        self._row_of = row_of
        self._stopped = threading.Event()
        self._thread = threading.Thread(target=self._follow, name="watcher", daemon=True)
        self.seen = Observation()

    def start(self) -> None:
        """From now on."""
        ends = {(name, p): offset for name in self._names for p, offset in self._reader.end_offsets(name).items()}
        self._reader.follow(ends)
        self._thread.start()

    def stop(self) -> None:
        """Ends the thread and closes the reader."""
        self._stopped.set()
        self._thread.join(10)
        self._reader.close()

    def events(self, after: int) -> list[Seen]:
        """Control messages from the `after`-th on, in the order read."""
        return self.seen.events[after:]

    def _follow(self) -> None:
        while not self._stopped.is_set():
            try:
                records = self._reader.poll(2000, 0.2)
            except Transient:
                continue
            for record in sorted(records, key=lambda record: record.timestamp_ms):
                self.take(record)

    def take(self, record: Record) -> None:
        """Keeps what the record says, if it is about the pipeline or about Homeostat itself."""
        message = decode(self._names[record.topic], record.value)
        if message.pipeline not in (self._pipeline, SYSTEM):
            return
        if isinstance(message, Prediction):
            row = self._row_of.get(message.id)
            if row is not None:
                self.seen.answers[row] = (message.prediction, message.model_version)
                self.seen.last_row = max(self.seen.last_row, row)
        else:
            self.seen.events.append(Seen(message, monotonic(), self.seen.last_row))
