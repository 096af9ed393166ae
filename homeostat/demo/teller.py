"""Prints the story's lines, from whichever thread, so that their rows never go back."""

from __future__ import annotations

import threading
from collections.abc import Sequence
from dataclasses import replace

from rich.console import Console

from homeostat.demo.view import line_of, told_line
from homeostat.demo.watcher import Seen


class Teller:
    """One telling. What is seen counts rows answered, what the demo does counts rows sent: the later is shown."""

    def __init__(self, console: Console) -> None:
        self._console = console
        self._lock = threading.Lock()
        self._row = 0
        self._told = 0

    def tell(self, events: Sequence[Seen]) -> None:
        """Prints those of all `events` so far that it has not told."""
        with self._lock:
            for seen in sorted(events[self._told :], key=lambda seen: seen.row):
                self._row = max(self._row, seen.row)
                line = line_of(replace(seen, row=self._row))
                if line is not None:
                    self._console.print(line, soft_wrap=True)
            self._told = max(self._told, len(events))

    def say(self, row: int, word: str, text: str) -> None:
        """Prints what the demo itself does at `row`."""
        with self._lock:
            self._row = max(self._row, row)
            self._console.print(told_line(row, word, text))
