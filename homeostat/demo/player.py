"""Sends the story's rows at its pace, and each label some rows after its event."""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from homeostat.client import Client
from homeostat.demo.story import Story
from homeostat.tally import Tally
from shared.clock import monotonic

TICKS_PER_SECOND = 10


@dataclass(slots=True)
class Progress:
    """How far the player is."""

    rows: int = 0
    labels: int = 0
    tally: Tally = field(default_factory=Tally)


class Player:
    """Plays rows [`first`, story.rows) of `table` to one pipeline, from its own thread.

    `at_row` is called, once each, when the row with that number is about to be sent. While one of them lasts the
    stream stands still; it then goes on at its pace, so that what was held up does not come in one flood.
    """

    def __init__(
        self,
        client: Client,
        pipeline: str,
        target: str,
        table: Sequence[Mapping[str, Any]],
        story: Story,
        speed: float,
        at_row: Mapping[int, Callable[[], None]],
        prefix: str = "",
        clock: Callable[[], float] = monotonic,
    ) -> None:
        self._client = client
        self._pipeline = pipeline
        self._target = target
        self._table = table
        self._story = story
        self._speed = speed
        self._at_row = dict(at_row)
        self._prefix = prefix
        self._clock = clock
        self._stopped = threading.Event()
        self.progress = Progress()
        self.failure: Exception | None = None

    def warm_up(self) -> None:
        """The first rows with their labels, as fast as they go: what the first model learns from."""
        for start in range(0, self._story.warm_up, 500):
            stop = min(start + 500, self._story.warm_up)
            self._events(start, stop)
            self._labels(start, stop)

    def play(self) -> None:
        """The rest at `speed` rows a second. Ends at the last row, or when stopped."""
        begun, first, done = self._clock(), self._story.warm_up, self._story.warm_up
        while done < self._story.rows and not self._stopped.is_set():
            due = min(self._story.rows, first + int((self._clock() - begun) * self._speed))
            for row in sorted(row for row in self._at_row if done <= row < due):
                begun += self._lasted(self._at_row.pop(row))
            for start in range(done, due, 500):
                self._events(start, min(start + 500, due))
            self._labels(self.progress.labels, max(self.progress.labels, due - self._story.label_lag))
            done = max(done, due)
            self._stopped.wait(1 / TICKS_PER_SECOND)
        self._labels(self.progress.labels, done)

    def start(self) -> threading.Thread:
        """Plays in a thread; `failure` holds what ended it early."""
        thread = threading.Thread(target=self._guarded, name="player", daemon=True)
        thread.start()
        return thread

    def stop(self) -> None:
        """Ends the play after the rows that are on their way."""
        self._stopped.set()

    def _guarded(self) -> None:
        try:
            self.play()
        except Exception as error:  # noqa: BLE001 - whatever ends the thread is shown to the person
            self.failure = error

    def _lasted(self, action: Callable[[], None]) -> float:
        """Does it; the seconds it took."""
        since = self._clock()
        action()
        return self._clock() - since

    def _events(self, start: int, stop: int) -> None:
        rows = [self._without_target(index) for index in range(start, stop)]
        if rows:
            self.progress.tally += self._client.send_events(self._pipeline, rows, "market")
        self.progress.rows = stop

    def _labels(self, start: int, stop: int) -> None:
        labels = [
            {"id": self._prefix + str(self._table[index]["id"]), "label": self._table[index][self._target]}
            for index in range(start, stop)
        ]
        for part in range(0, len(labels), 1000):
            self._client.send_labels(self._pipeline, labels[part : part + 1000], "settlement")
        self.progress.labels = max(self.progress.labels, stop)

    def _without_target(self, index: int) -> dict[str, Any]:
        row = self._story.row(index, self._table[index])
        del row[self._target]
        row["id"] = self._prefix + str(row["id"])
        return row
