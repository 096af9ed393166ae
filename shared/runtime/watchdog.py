"""Ends a process that hangs. Its supervisor starts it anew, and nothing is lost by that.

Both Kafka clients' calls have a limit here, but a library's limit is not a proof: that is what this is for.
"""

from __future__ import annotations

import os
import sys
import threading
import traceback
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import structlog

from shared.clock import monotonic

_log = structlog.get_logger("homeostat.runtime")

STATUS = 70
LOOP_SECONDS = 240.0
"""The longest turn of the loop: below the interval after which Kafka takes the partitions away."""


class Watchdog:
    """Knows since when a transaction is open and when the loop last turned; `start` watches both.

    `end` gets the exit status and does not return; it is `os._exit`, for the hanging thread could
    not be stopped otherwise.
    """

    def __init__(
        self,
        transaction_seconds: float,
        loop_seconds: float = LOOP_SECONDS,
        clock: Callable[[], float] = monotonic,
        end: Callable[[int], object] = os._exit,
    ) -> None:
        self._transaction_seconds = transaction_seconds
        self._loop_seconds = loop_seconds
        self._clock = clock
        self._end = end
        self._open_since: float | None = None
        self._turned = clock()
        self._thread = threading.get_ident()
        self._stopped = threading.Event()

    @contextmanager
    def transaction(self) -> Iterator[None]:
        """A transaction is open inside."""
        self._open_since = self._clock()
        try:
            yield
        finally:
            self._open_since = None

    def turned(self) -> None:
        """The loop is alive, in the thread that calls this."""
        self._thread = threading.get_ident()
        self._turned = self._clock()

    @property
    def alive(self) -> bool:
        return self.complaint() is None

    def complaint(self) -> str | None:
        """What hangs, and for how long; None while all is well."""
        now, since = self._clock(), self._open_since
        if since is not None and now - since > self._transaction_seconds:
            return f"a transaction is open for {now - since:.0f} s, allowed are {self._transaction_seconds:g}"
        if now - self._turned > self._loop_seconds:
            return f"the loop has not turned for {now - self._turned:.0f} s, allowed are {self._loop_seconds:g}"
        return None

    def check(self) -> None:
        """Ends the process if something hangs."""
        complaint = self.complaint()
        if complaint is not None:
            _log.critical("ending this process so that it is started anew", why=complaint, where=self._where())
            self._end(STATUS)

    def _where(self) -> list[str]:
        """The innermost lines of the thread that hangs."""
        frame = sys._current_frames().get(self._thread)
        lines = traceback.extract_stack(frame)[-4:] if frame is not None else []
        return [f"{line.filename}:{line.lineno} {line.name}" for line in lines]

    def start(self) -> None:
        threading.Thread(target=self._watch, name="watchdog", daemon=True).start()

    def stop(self) -> None:
        self._stopped.set()

    def _watch(self) -> None:
        while not self._stopped.wait(0.5):
            self.check()
