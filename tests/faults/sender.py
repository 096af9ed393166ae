"""A client as it should be: it repeats what was not accepted, under the same ids, until it is."""

from __future__ import annotations

import threading
from collections.abc import Sequence
from typing import Any

import httpx
from tenacity import Retrying, retry_if_exception_type, retry_if_result, stop_after_delay, wait_fixed

from homeostat.rows import Row
from shared.clock import monotonic
from tests.support.stack import Home

TURNS_A_SECOND = 5


class Sender:
    """Sends rows at a steady pace from a thread of its own, each label `lag` rows after its event."""

    def __init__(self, home: Home, pipeline: str, table: Sequence[Row], first: int, a_second: int, lag: int) -> None:
        self._url = f"{home.url}/v1/pipelines/{pipeline}"
        self._headers = home.headers
        self._table = table
        self._at = self._labelled = first
        self._a_second = a_second
        self._lag = lag
        self._stopped = threading.Event()
        self._thread = threading.Thread(target=self._run, name="sender", daemon=True)
        self.accepted: list[str] = []
        self.labelled: list[str] = []
        self.repeats = 0
        self.failure: Exception | None = None

    def start(self) -> None:
        self._thread.start()

    def stop(self) -> None:
        """Returns when the last label is accepted."""
        self._stopped.set()
        self._thread.join(120)
        assert not self._thread.is_alive()
        assert self.failure is None, self.failure

    def _run(self) -> None:
        try:
            begun, first = monotonic(), self._at
            while not self._stopped.wait(1 / TURNS_A_SECOND):
                due = min(len(self._table), first + int((monotonic() - begun) * self._a_second))
                self._events(due)
                self._labels(max(first, due - self._lag))
            self._labels(self._at)
        except Exception as error:  # noqa: BLE001 - told to whoever stops this
            self.failure = error

    def _events(self, until: int) -> None:
        for start in range(self._at, until, 200):
            rows = self._table[start : min(start + 200, until)]
            self._post("events", [{name: value for name, value in row.items() if name != "target"} for row in rows])
            self.accepted += [str(row["id"]) for row in rows]
        self._at = max(self._at, until)

    def _labels(self, until: int) -> None:
        rows = self._table[self._labelled : until]
        if rows:
            self._post("labels", [{"id": row["id"], "label": row["target"]} for row in rows])
            self.labelled += [str(row["id"]) for row in rows]
            self._labelled = until

    def _post(self, what: str, body: list[dict[str, Any]]) -> None:
        retrying = Retrying(
            retry=retry_if_exception_type(httpx.HTTPError) | retry_if_result(lambda answer: answer.status_code >= 429),
            wait=wait_fixed(0.3),
            stop=stop_after_delay(90),
            before_sleep=self._count,
        )
        answer = retrying(httpx.post, f"{self._url}/{what}", json=body, headers=self._headers, timeout=15)
        assert answer.status_code == 202, answer.text
        assert answer.json()["rejected"] == [], answer.text

    def _count(self, _: object) -> None:
        self.repeats += 1
