"""A gateway behind which ingest works over the same log, when it is told to."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from services.ingest.service import Ingest
from services.ingest.settings import IngestSettings
from shared.clock import utc_now
from shared.runtime.memory import MemoryRuntime
from shared.topics import PIPELINES
from tests.services.gateway.messages import defined
from tests.services.gateway.running import Running, common, new_bus, running

EVENTS = "/v1/pipelines/elec2/events"
LABELS = "/v1/pipelines/elec2/labels"
OUTCOMES = "/v1/pipelines/elec2/outcomes"
GOOD = {"nswprice": 0.5, "vicprice": 1.5}


class Both:
    """A gateway, and ingest over the same log, which works when it is told to."""

    def __init__(self, gateway: Running, ingest: MemoryRuntime) -> None:
        self.gateway, self._ingest = gateway, ingest

    def send(self, path: str, rows: Any) -> list[dict[str, int]]:
        written: list[dict[str, int]] = self.gateway.http.post(path, json=rows).json()["written"]
        return written

    def work(self) -> None:
        self._ingest.run(utc_now())

    def outcomes(self, written: list[dict[str, int]], wait: float = 0.0, **more: Any) -> dict[str, Any]:
        answer = self.gateway.http.post(OUTCOMES, json={"written": written} | more, params={"wait": wait})
        assert answer.status_code == 200, answer.text
        found: dict[str, Any] = answer.json()
        return found


@contextmanager
def both_running(data_dir: Path) -> Iterator[Both]:
    """Both know the pipeline `elec2`."""
    bus = new_bus(data_dir)
    ingest = MemoryRuntime(
        {"ingest": lambda task: Ingest(task.partition, IngestSettings())},
        settings=common(data_dir),
        now=utc_now(),
        bus=bus,
    )
    with running(data_dir, bus, wait=False) as gateway:
        gateway.put(PIPELINES, defined())
        made = Both(gateway, ingest)
        made.work()
        yield made
