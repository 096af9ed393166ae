"""A client of the predictions' stream that loses its connection now and then, and resumes by `Last-Event-ID`."""

from __future__ import annotations

import json
import threading

import httpx

from tests.support.stack import Home

PAUSE_SECONDS = 0.3


class Follower:
    """Follows from `start` to `stop`, in a thread of its own. `seen` are the predictions' ids, in order."""

    def __init__(self, home: Home, pipeline: str) -> None:
        self._url = f"{home.url}/v1/pipelines/{pipeline}/predictions/stream"
        self._headers = home.headers
        self._last: str | None = None
        self._stopped = threading.Event()
        self._thread = threading.Thread(target=self._run, name="follower", daemon=True)
        self.following = threading.Event()
        self.seen: list[str] = []
        self.connections = 0

    def start(self) -> None:
        """Returns when it has its place in the stream."""
        self._thread.start()
        assert self.following.wait(60)

    def stop(self) -> None:
        self._stopped.set()
        self._thread.join(60)
        assert not self._thread.is_alive()

    def _run(self) -> None:
        while not self._stopped.wait(PAUSE_SECONDS):
            try:
                self._follow()
            except httpx.HTTPError:
                continue  # as every browser does: once more, after the last id that was seen

    def _follow(self) -> None:
        headers = self._headers | ({"Last-Event-ID": self._last} if self._last else {})
        with httpx.stream("GET", self._url, headers=headers, timeout=httpx.Timeout(10, read=20)) as answer:
            answer.raise_for_status()
            self.connections += 1
            place, data = "", ""
            for line in answer.iter_lines():
                if line.startswith("id:"):
                    place = line[3:].strip()
                elif line.startswith("data:"):
                    data = line[5:]
                elif not line:
                    self._event(place, data)
                    place, data = "", ""
                if self._stopped.is_set():
                    return

    def _event(self, place: str, data: str) -> None:
        """An event counts when it is whole, with the blank line behind it."""
        if data:
            self.seen.append(json.loads(data)["id"])
        if place:
            self._last = place
            self.following.set()
