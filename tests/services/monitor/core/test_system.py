"""Heartbeats: silence, lag, errors, slowness; and that ordinary work is none of them."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from services.monitor.core.system import System
from shared.messages import Alert, Heartbeat

START = datetime(2026, 3, 1, tzinfo=UTC)


def beats(system: System, count: int, start: int = 0, service: str = "predictor", **changes: object) -> list[Alert]:
    """`count` heartbeats, one in five seconds, of a service that handles 500 records each time."""
    said = []
    for i in range(start, start + count):
        now = START + timedelta(seconds=5 * i)
        common: dict[str, object] = {"records_in": 500 * i, "step_seconds": 0.02, "lag": {"features": 50}}
        for name, value in changes.items():
            common[name] = value(i) if callable(value) else value
        said += system.take(Heartbeat(service=service, instance="0", at=now, started=START, **common), now)  # type: ignore[arg-type]
        said += system.tick(now, 20.0, 15.0)[0]
    return said


def test_steady_work_raises_nothing() -> None:
    assert beats(System(), 100) == []


def test_a_backlog_that_is_worked_off_raises_nothing() -> None:
    system = System()
    beats(system, 20)
    assert beats(system, 20, 20, lag=lambda i: {"features": 100_000 - 2000 * i}) == []


def test_a_service_that_falls_silent_is_down_until_it_beats_again() -> None:
    system = System()
    beats(system, 10)
    said = []
    for second in range(46, 80):
        said += system.tick(START + timedelta(seconds=second), 20.0, 15.0)[0]
    (alert,) = said
    assert (alert.kind, alert.pipeline, alert.severity) == ("service_down", "_system", "critical")
    assert alert.causes[0].what == "predictor"
    assert (alert.since, alert.at) == (START + timedelta(seconds=45), START + timedelta(seconds=66))
    assert [a.state for a in beats(system, 1, 16)] == ["resolved"]


def test_a_service_that_says_it_is_leaving_is_not_missed() -> None:
    system = System()
    beats(system, 10)
    beats(system, 1, 10, state="draining")
    assert [a for s in range(51, 120) for a in system.tick(START + timedelta(seconds=s), 20.0, 15.0)[0]] == []


def test_a_service_that_goes_on_with_incomplete_state_is_told_of_until_it_says_so_no_more() -> None:
    system = System()
    beats(system, 10)

    raised = beats(system, 5, 10, incomplete="steps are gone")[0]
    over = beats(system, 5, 15)

    assert (raised.kind, raised.severity, raised.state) == ("errors", "critical", "firing")
    assert "steps are gone" in raised.summary
    assert [a.state for a in over] == ["resolved"]


def pair(system: System, seconds: range, who: str = "01", **changes: object) -> list[tuple[int, Alert]]:
    """What is said, and in which second, while these instances of the predictor beat once in five seconds."""
    said = []
    for second in seconds:
        now = START + timedelta(seconds=second)
        for instance in who if second % 5 == 0 else "":
            common: dict[str, object] = {"records_in": 100 * second, "step_seconds": 0.02, "lag": {"features": 50}}
            own = {name: value(instance, second) for name, value in changes.items() if callable(value)}
            beat = Heartbeat(service="predictor", instance=instance, at=now, started=START, **common | own)  # type: ignore[arg-type]
            said += [(second, alert) for alert in system.take(beat, now)]
        said += [(second, alert) for alert in system.tick(now, 20.0, 15.0)[0]]
    return said


def test_an_instance_that_falls_silent_stays_down_while_another_one_beats() -> None:
    system = System()
    assert pair(system, range(60)) == []
    said = pair(system, range(60, 300), "0")
    assert [(alert.kind, alert.state) for _, alert in said] == [("service_down", "firing")]
    ((_, back),) = pair(system, range(300, 320))
    assert (back.id, back.state, back.summary) == (said[0][1].id, "resolved", "predictor is back")


def test_a_service_is_down_until_the_last_of_its_instances_is_back() -> None:
    system = System()
    pair(system, range(60))
    ((_, alert),) = pair(system, range(60, 120), "")
    assert pair(system, range(120, 180), "0") == []
    ((_, back),) = pair(system, range(180, 240))
    assert (back.id, back.state) == (alert.id, "resolved")


def test_an_instance_that_came_after_one_fell_silent_takes_its_place() -> None:
    system = System()
    pair(system, range(60))
    ((_, alert),) = pair(system, range(60, 120), "0")
    ((second, gone),) = pair(system, range(120, 180), "02")
    assert (second, gone.id, gone.state) == (120, alert.id, "resolved")
    assert gone.summary == "predictor/1 has been replaced by predictor/2"
    assert sorted(system.pulses) == ["predictor/0", "predictor/2"]
    ((_, again),) = pair(system, range(180, 300), "2")
    assert (again.state, again.causes[0].detail) == ("firing", "instance 0")


def test_an_instance_that_leaves_once_it_beats_again_is_not_missed() -> None:
    system = System()
    pair(system, range(60))
    ((_, alert),) = pair(system, range(60, 120), "0")
    now = START + timedelta(seconds=120)
    leaving = Heartbeat(service="predictor", instance="1", at=now, started=START, state="draining")
    (left,) = system.take(leaving, now)
    assert (left.id, left.state, left.summary) == (alert.id, "resolved", "predictor has left in order")
    assert pair(system, range(121, 300), "0") == []


def test_an_instance_that_is_silent_for_an_hour_is_expected_no_more() -> None:
    system = System()
    pair(system, range(60))
    said = pair(system, range(60, 3800), "0")
    assert [(alert.state, second) for second, alert in said] == [("firing", 76), ("resolved", 3656)]
    assert list(system.pulses) == ["predictor/0"]


def test_what_one_instance_shows_does_not_end_because_another_does_not_show_it() -> None:
    system = System()
    pair(system, range(100))
    said = pair(system, range(100, 200), lag=lambda who, second: {"features": 50 if who == "0" else 200 * second})
    assert [(alert.kind, alert.state) for _, alert in said] == [("lag", "firing")]
    ((_, over),) = pair(system, range(200, 230))
    assert (over.kind, over.state) == ("lag", "resolved")


def test_silence_while_the_monitor_itself_slept_does_not_count() -> None:
    system = System()
    beats(system, 10)
    assert system.tick(START + timedelta(seconds=600), 20.0, 15.0)[0] == []


def test_a_part_reported_down_is_down_at_once() -> None:
    (alert,) = beats(System(), 1, service="kafka", state="down")
    assert (alert.kind, alert.causes[0].what) == ("service_down", "kafka")


def test_a_lag_that_grows_past_half_a_minute_of_work_is_a_load() -> None:
    system = System()
    beats(system, 20)
    (alert,) = beats(system, 10, 20, lag=lambda i: {"features": 2000 * i})
    assert (alert.kind, alert.causes[0].kind) == ("lag", "load")


def test_a_lag_without_any_progress_is_critical() -> None:
    system = System()
    beats(system, 20)
    (alert,) = beats(system, 5, 20, lag={"features": 5000}, records_in=9500)
    assert (alert.kind, alert.severity, alert.causes[0].kind) == ("lag", "critical", "service")


def test_a_slow_predictor_after_a_release_is_the_versions_fault_and_resolves() -> None:
    system = System()
    beats(system, 20)
    system.released["shop"] = ("7", (START + timedelta(seconds=100)).timestamp())
    (alert,) = beats(system, 6, 20, step_seconds=1.0)
    assert (alert.kind, alert.causes[0].kind, alert.causes[0].what) == ("latency", "version", "7")
    (resolved,) = beats(system, 4, 26)
    assert (resolved.id, resolved.state) == (alert.id, "resolved")


def test_failures_past_a_share_are_errors() -> None:
    system = System()
    beats(system, 20)
    (alert,) = beats(system, 5, 20, errors=lambda i: 50 * (i - 19))
    assert alert.kind == "errors"


def test_figures_are_published_at_their_interval() -> None:
    system = System()
    beats(system, 3)
    _, metrics = system.tick(START + timedelta(seconds=40), 20.0, 15.0)
    assert metrics is not None
    assert metrics.values["predictor.records_per_second"] == 100.0
    assert system.tick(START + timedelta(seconds=41), 20.0, 15.0)[1] is None


def test_that_state_is_incomplete_is_told_of_also_where_failures_come_with_it() -> None:
    system = System()
    beats(system, 10)

    raised = beats(system, 5, 10, incomplete="steps are gone", errors=lambda i: 100 * i)[0]

    assert (raised.severity, raised.evidence.statistic) == ("critical", "predictor.incomplete_state")
