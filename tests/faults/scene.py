"""A system under load, what was accepted from its clients, and whether all of it is there once and once only."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

import pytest

from homeostat.local.waiting import wait_for
from homeostat.rows import Row
from homeostat.verify import books_of, outcomes_of
from homeostat.verify.log import Log
from shared.clock import monotonic, utc_now
from shared.errors import HomeostatError, Transient
from shared.pipeline.check import checked
from shared.pipeline.load import load
from tests.faults.checker import committed
from tests.faults.rows import REGIONS, Rows
from tests.faults.sender import Sender
from tests.support.stack import Home

SECONDS = float(os.environ.get("HOMEOSTAT_FAULT_SECONDS", "0"))
EXAMPLE = "examples/electricity"
NAME = "electricity"
WARM_UP = 500
A_SECOND = 150
LONG = pytest.mark.skipif(SECONDS == 0, reason="takes minutes: set HOMEOSTAT_FAULT_SECONDS, as the nightly run does")
ON_A_STACK = [
    pytest.mark.e2e,
    pytest.mark.kafka,
    pytest.mark.xdist_group("home"),
    pytest.mark.timeout(int(SECONDS) * 3 + 600),
]
"""For every module of tests on a system under load."""
RECOVERY_SECONDS = 300.0
REST_SECONDS = 180.0


def laps(lap_seconds: float) -> range:
    """One, or as many as fit into the seconds that were asked for."""
    return range(max(1, round(SECONDS / lap_seconds)))


@dataclass(slots=True)
class Scene:
    """`next_row` is the first that nobody sent yet. `told` hears what took how long."""

    home: Home
    rows: Rows
    told: Callable[[str], None] = print
    next_row: int = 0
    accepted: list[str] = field(default_factory=list)
    labelled: list[str] = field(default_factory=list)
    repeats: int = 0

    @classmethod
    def of(cls, home: Home) -> Scene:
        """With a pipeline whose first model is live, over data partitions that all have load."""
        scene = cls(home, Rows(f"{EXAMPLE}/data.parquet"))
        document = load(f"{EXAMPLE}/pipeline.yaml").canonical
        models = {**document["models"], "min_rows": 400, "search": {"seconds": 1, "trials": 2}}
        specification, problems = checked({**document, "models": models})
        assert specification is not None, problems
        home.client.define(specification.canonical)
        history = scene.rows[:WARM_UP]
        home.client.send_events(NAME, history, "history")
        scene.next_row = WARM_UP
        scene.accepted += [str(row["id"]) for row in history]
        scene.labelled += scene.accepted
        assert wait_for(scene.has_model, 180, every=0.5), "no first model"
        return scene

    def has_model(self) -> bool:
        return bool(self.home.client.get(f"/v1/pipelines/{NAME}/models")["models"])

    @contextmanager
    def load(self) -> Iterator[Sender]:
        """Rows come at a steady pace inside. Afterwards all of them are accepted, and each was answered once."""
        sender = Sender(self.home, NAME, self.rows, self.next_row, a_second=A_SECOND, lag=60)
        self.next_row += 200_000
        sender.start()
        try:
            assert wait_for(lambda: len(sender.accepted) > 2 * A_SECOND, 90)
            yield sender
        finally:
            sender.stop()
        self.accepted += sender.accepted
        self.labelled += sender.labelled
        self.repeats += sender.repeats
        self.check()

    def check(self) -> None:
        """Waits until nothing is under way; then every accepted row counts once, and every promise is kept."""
        assert wait_for(self._rested, REST_SECONDS, every=1), self.home.cli("status").stdout
        assert wait_for(lambda: set(self.accepted) <= self.predictions().keys(), REST_SECONDS, every=3)
        found = self.predictions()
        lost = set(self.accepted) - found.keys()
        doubled = [id_ for id_, count in found.items() if count > 1]
        assert (len(lost), len(doubled)) == (0, 0), (sorted(lost)[:5], doubled[:5])
        assert found.keys() == set(self.accepted)
        broken = self._broken()
        assert not broken, broken

    def predictions(self) -> Counter[str]:
        """How often each id stands on `predictions`, as a client of our own reads it."""
        return Counter(each["id"] for each in committed(self.kafka, self.home.full_name("predictions")))

    def recovered(self, what: str, since: float) -> None:
        """Returns when rows of every partition are answered that are sent now; tells how long after `since`."""
        rows = self.rows[self.next_row : self.next_row + REGIONS]
        self.next_row += REGIONS
        assert wait_for(lambda: self._answered(rows), RECOVERY_SECONDS, every=0.2), f"no answer after: {what}"
        self.accepted += [str(row["id"]) for row in rows]
        self.told(f"{what}: an answer after {monotonic() - since:.1f} s")

    @property
    def kafka(self) -> str:
        return self.home.stack.urls["kafka"]

    def _answered(self, rows: list[Row]) -> bool:
        events = [{name: value for name, value in row.items() if name != "target"} for row in rows]
        try:
            answer = self.home.client.call("POST", f"/v1/pipelines/{NAME}/predict?timeout=5", json=events)
        except HomeostatError:
            return False
        return all(each.get("prediction") is not None for each in answer["predictions"])

    def _rested(self) -> bool:
        try:
            found = self.home.client.get(f"/v1/pipelines/{NAME}/metrics", limit=1)
        except HomeostatError:
            return False
        return bool(found["rows_seen"] == len(self.accepted) and found["labelled_seen"] == len(self.labelled))

    def _broken(self) -> list[str]:
        """What `homeostat verify` finds, once nothing that it calls broken is only under way."""
        examples: list[str] = []

        def kept() -> bool:
            try:
                books = books_of(Log(self.kafka, self.home.full_name("")))
            except Transient as error:
                examples[:] = [str(error)]
                return False
            outcomes = outcomes_of(books, utc_now(), 0)
            examples[:] = [f"{each.promise}: {example}" for each in outcomes for example in each.examples]
            return not examples

        return [] if wait_for(kept, 90, every=2) else examples
