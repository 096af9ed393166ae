"""Predictions as a client of the live stream sees them, over connections that break off again and again."""

from __future__ import annotations

import json
import socket
import threading
from collections import Counter
from contextlib import suppress
from typing import Any

import httpx

BREAKS_AFTER = 1500
"""Events a connection lives for: the next one resumes with Last-Event-ID."""


class Answers:
    """How often each event was answered, by which version and with which fields withheld."""

    def __init__(self, url: str, headers: dict[str, str]) -> None:
        self._url = url
        self._headers = headers
        self._more = threading.Condition()
        self._ended = threading.Event()
        self._open = threading.Event()
        self._socket: socket.socket | None = None
        self._thread = threading.Thread(target=self._follow, name="answers", daemon=True)
        self.counts: Counter[str] = Counter()
        self.versions: dict[str, str] = {}
        self.withheld: dict[str, list[str]] = {}
        self.connections = 0

    def __enter__(self) -> Answers:
        self._thread.start()
        assert self._open.wait(10), f"{self._url} did not begin"
        return self

    def __exit__(self, *_: object) -> None:
        self._ended.set()
        if self._socket:
            with suppress(OSError):
                self._socket.shutdown(socket.SHUT_RDWR)  # a silent stream says nothing for 15 seconds
        self._thread.join(20)

    def wait_for(self, ids: set[str], seconds: float) -> set[str]:
        """The ids that are still without an answer after at most so many seconds."""
        with self._more:
            self._more.wait_for(lambda: ids <= self.counts.keys(), seconds)
            return ids - self.counts.keys()

    def _follow(self) -> None:
        last: str | None = None
        while not self._ended.is_set():
            try:
                last = self._read(last)
            except httpx.HTTPError:
                if not self._ended.is_set():
                    raise

    def _read(self, last: str | None) -> str | None:
        """One connection; the id of the last event on it."""
        headers = self._headers | ({"Last-Event-ID": last} if last else {})
        self.connections += 1
        taken = 0
        # The gateway pings every 15 s: a silent connection is not read for longer.
        with httpx.stream("GET", self._url, headers=headers, timeout=httpx.Timeout(10, read=17)) as answer:
            answer.raise_for_status()
            self._socket = answer.extensions["network_stream"].get_extra_info("socket")
            for line in answer.iter_lines():
                name, _, value = line.partition(": ")
                if name == "id":
                    last = value
                    self._open.set()
                elif name == "data":
                    self._take(json.loads(value))
                    taken += 1
                if (taken == BREAKS_AFTER and not line) or self._ended.is_set():
                    break
        return last

    def _take(self, answer: dict[str, Any]) -> None:
        with self._more:
            self.counts[answer["id"]] += 1
            self.versions[answer["id"]] = answer["model_version"]
            if "withheld" in answer:
                self.withheld[answer["id"]] = answer["withheld"]
            self._more.notify_all()
