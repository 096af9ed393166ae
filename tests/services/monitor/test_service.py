"""The monitor itself: what it shows, keeps, restores and forgets."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from services.monitor.core.plan import Patience
from services.monitor.service import Monitor
from services.monitor.settings import MonitorSettings
from shared.messages import PipelineDefined
from shared.service import Batch
from shared.telemetry.metrics import BY_NAME
from tests.services.monitor.changes import times_1000

Make = Callable[..., Any]


def test_a_healthy_stream_raises_no_alarm(stream: Make) -> None:
    s = stream(warm=5000)
    assert s.alerts() == []


def test_gauges_show_the_newest_windows_and_what_fires(stream: Make) -> None:
    s = stream(warm=2000)
    s.run(400, change=times_1000)
    gauges = s.monitor.gauges()
    shop = ("pipeline", "shop")
    newest = s.metrics("performance")[-1].values
    assert gauges["homeostat_performance", (shop, ("metric", "accuracy"))] == newest["accuracy"]
    assert gauges["homeostat_drift", (shop, ("feature", "load"))] == s.metrics("data")[-1].values["psi.load"]
    assert gauges["homeostat_alerts_firing", (shop, ("kind", "data_quality"))] == 1.0
    for name, labels in gauges:
        assert tuple(key for key, _ in labels) == BY_NAME[name].labels


def test_totals_are_told_before_any_model_exists(stream: Make) -> None:
    s = stream()
    s.run(300)
    newest = s.metrics("data")[-1]
    assert (newest.rows_seen, newest.labelled_seen) == (300, 300)
    assert s.metrics("performance") == []


def test_a_restored_monitor_says_exactly_what_the_first_would_have_said(stream: Make) -> None:
    one, other = stream(warm=1500, delay=70), stream(warm=1500, delay=70)
    other.monitor = Monitor()
    other.monitor.restore(one.monitor.save())
    marks = len(one.said), len(other.said)
    for s in (one, other):
        s.run(500, change=times_1000, error=0.4)
        s.publish("2")
        s.run(1000, error=0.5)
    assert one.said[marks[0] :] == other.said[marks[1] :]
    assert any(True for _ in one.alerts())
    assert one.monitor.save() == other.monitor.save()


def test_state_does_not_grow_with_the_stream(stream: Make) -> None:
    s = stream(warm=1000, settings=MonitorSettings(patience=Patience(memory_rows=5000)))
    s.run(16_000, batch=500)
    size = len(s.monitor.save())
    s.run(20_000, batch=500)
    assert len(s.monitor.save()) < 1.02 * size


def test_a_pipeline_that_is_removed_is_forgotten(stream: Make) -> None:
    s = stream(warm=500)
    gone = PipelineDefined(
        pipeline="shop", version=2, digest="", specification={}, at=s.now, issued_by="person:test", removed=True
    )
    s.take(s.monitor.on_pipelines(Batch("pipelines", 0, [0], [gone]), s.now))
    before = len(s.said)
    s.run(500)
    assert len(s.said) == before


def test_a_changed_specification_takes_effect_and_the_stream_goes_on(stream: Make, spec: Make) -> None:
    s = stream(warm=1000)
    changed = spec(monitor={"reference_rows": 500, "window": 100, "performance_window": 100})
    defined = PipelineDefined(
        pipeline="shop", version=2, digest="", specification=changed.canonical, at=s.now, issued_by="person:test"
    )
    before = len(s.metrics("data"))
    s.take(s.monitor.on_pipelines(Batch("pipelines", 0, [0], [defined]), s.now))
    s.run(1000)
    assert s.alerts() == []
    assert [m.window.rows for m in s.metrics("data")[before:]] == [100] * 10
    assert s.metrics("data")[-1].rows_seen == 3000
    assert s.metrics("performance")[-1].by_version["1"]["rows"] == 100
