"""Labels that come when their row is long past: joined as far as memory reaches, told apart and counted beyond it."""

from __future__ import annotations

from datetime import datetime, timedelta

from services.monitor.core.plan import Patience
from services.monitor.service import Monitor
from services.monitor.settings import MonitorSettings
from shared.messages import DeadLetter, Features, Label, Metrics, PipelineDefined
from shared.pipeline.specification import Specification
from shared.service import Batch, Step
from tests.services.monitor.conftest import START, specification

BATCH = 250
PER_SECOND = 10


class Feed:
    """Rows and labels of the shop, at ten rows a second; what the monitor says is kept."""

    def __init__(self, spec: Specification, *, most: int, usual: int) -> None:
        self.spec, self.row = spec, 0
        self.monitor = Monitor(MonitorSettings(patience=Patience(memory_rows=most)))
        self.said: list[object] = []
        defined = PipelineDefined(
            pipeline="shop", version=1, digest=spec.digest, specification=spec.canonical, at=START, issued_by="person:x"
        )
        self._take(self.monitor.on_pipelines(Batch("pipelines", 0, [0], [defined]), START))
        self.join = self.monitor._state.pipelines["shop"].record.join
        self.join.capacity = usual

    def rows(self, count: int, *, labels_late: int | None = None) -> None:
        """So many rows; with each, the label of the row `labels_late` before it."""
        for _ in range(count // BATCH):
            numbers = range(self.row, self.row + BATCH)
            events = [
                Features(
                    pipeline="shop", id=f"e{i}", entity="x", source="till", definition="d", origin=(0, i),
                    at=START + timedelta(seconds=i / PER_SECOND), values={},
                    raw={"price": i % 17, "load": i % 13, "colour": "red"},
                )
                for i in numbers
            ]  # fmt: skip
            self.row += BATCH
            self._take(self.monitor.on_features(Batch("features", 0, numbers, events), self.now))
            if labels_late is not None:
                self.label(*[f"e{i - labels_late}" for i in numbers if i >= labels_late])

    def label(self, *ids: str) -> None:
        labels = [Label(pipeline="shop", id=name, label=1) for name in ids]
        self._take(self.monitor.on_labels(Batch("labels", 0, range(len(labels)), labels), self.now))

    @property
    def now(self) -> datetime:
        return START + timedelta(seconds=self.row / PER_SECOND)

    @property
    def labelled(self) -> int:
        self._take(self.monitor.on_tick(self.now))
        return max(m.labelled_seen for m in self.said if isinstance(m, Metrics) and m.pipeline == "shop")

    def dead(self, reason: str) -> list[DeadLetter]:
        return [m for m in self.said if isinstance(m, DeadLetter) and m.reason == reason]

    def _take(self, step: Step) -> None:
        self.said += [out.message for out in step.messages]


def test_a_label_that_is_too_late_says_so_and_what_to_raise() -> None:
    feed = Feed(specification(), most=5000, usual=5000)
    feed.rows(6000)

    feed.label("e10", "e5990", "nobody")

    (letter,) = feed.dead("label-too-late")
    assert (letter.id, letter.topic, letter.offset) == ("e10", "labels", 0)
    assert "newest 5000" in letter.detail
    assert "HOMEOSTAT_MONITOR_MEMORY_ROWS" in letter.detail
    assert feed.dead("unknown-id") == []


def test_labels_that_are_too_late_count_once() -> None:
    feed = Feed(specification(), most=5000, usual=5000)
    feed.rows(250)
    feed.label("e1")
    feed.rows(6000)

    feed.label("e1", "e2", "e3", "e2")
    feed.label("e3")

    assert feed.labelled == 3


def test_memory_grows_before_rows_go_whose_labels_are_not_due_for_long() -> None:
    feed = Feed(specification(label_delay="380s"), most=100_000, usual=1000)

    feed.rows(12_000, labels_late=4000)

    assert feed.dead("label-too-late") == []
    assert feed.labelled == 8000
    assert feed.join.capacity == 8000


def test_memory_stays_as_it_is_where_labels_come_before_they_are_due() -> None:
    feed = Feed(specification(label_delay="1h"), most=100_000, usual=1000)

    feed.rows(12_000, labels_late=500)

    assert feed.join.capacity == 1000


def test_memory_grows_when_labels_come_too_late_though_no_delay_is_stated() -> None:
    feed = Feed(specification(), most=100_000, usual=1000)

    feed.rows(12_000, labels_late=3000)
    late = len(feed.dead("label-too-late"))
    feed.rows(4000, labels_late=3000)

    assert feed.labelled == 13_000
    assert feed.join.capacity == 4000
    assert len(feed.dead("label-too-late")) == late


def test_memory_never_grows_past_its_bound() -> None:
    feed = Feed(specification(label_delay="1h"), most=5000, usual=1000)

    feed.rows(12_000, labels_late=6000)

    assert len(feed.join.columns["offset"]) == feed.join.capacity == 5000
    assert feed.labelled == 6000


def test_a_bound_that_was_raised_holds_for_what_was_saved_before() -> None:
    feed = Feed(specification(), most=5000, usual=5000)
    feed.rows(6000)
    state, feed.monitor = feed.monitor.save(), Monitor(MonitorSettings(patience=Patience(memory_rows=20_000)))
    feed.monitor.restore(state)

    feed.rows(12_000, labels_late=7000)

    assert feed.monitor._state.pipelines["shop"].record.join.capacity == 10_000
