"""What published messages say in figures."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from shared.messages import Alert, AuditEntry, Evidence, Metrics, Prediction, Window
from shared.telemetry.metrics import Meters
from shared.telemetry.published import Observer

AT = datetime(2026, 1, 1, tzinfo=UTC)
WINDOW = Window(index=0, first_row=0, last_row=9, rows=10)


def prediction(version: str, received_at: datetime | None = None) -> Prediction:
    return Prediction(
        pipeline="p", id="1", entity="e", at=AT, prediction=1, model_version=version, received_at=received_at
    )


def alert(state: str, *, after: float) -> Alert:
    return Alert(
        id="a1",
        fingerprint="f",
        pipeline="p",
        kind="performance",
        severity="warning",
        state=state,  # type: ignore[arg-type]
        since=AT,
        at=AT + timedelta(seconds=after),
        summary="",
        evidence=Evidence(statistic="s", value=1, threshold=0, window=WINDOW, samples=1),
    )


def entry(kind: str, *, after: float = 0, **body: object) -> AuditEntry:
    at = AT + timedelta(seconds=after)
    return AuditEntry(
        sequence=1, at=at, kind=kind, pipeline="p", incident="i", summary="", body=body, refs=(), previous="", hash=""
    )


def metrics(family: str, **values: float) -> Metrics:
    return Metrics(pipeline="p", family=family, at=AT, window=WINDOW, values=values)  # type: ignore[arg-type]


def told(*messages: object) -> str:
    meters = Meters()
    Observer("s", meters).saw(messages, AT + timedelta(seconds=2))
    return meters.text().decode()


def test_predictions_are_counted_by_version_and_timed_from_their_events_arrival() -> None:
    text = told(prediction("7", AT), prediction("7"), prediction(""))

    assert 'homeostat_predictions_total{model_version="7",pipeline="p",service="s"} 2.0' in text
    assert 'homeostat_predictions_total{model_version="none",pipeline="p",service="s"} 1.0' in text
    assert 'homeostat_event_latency_seconds_sum{pipeline="p",service="s"} 2.0' in text
    assert 'homeostat_event_latency_seconds_count{pipeline="p",service="s"} 1.0' in text


def test_performance_and_drift_show_the_newest_window() -> None:
    text = told(
        metrics("performance", accuracy=0.9),
        metrics("performance", accuracy=0.8),
        metrics("data", **{"psi.price": 0.3, "drift_p.price": 0.5}),
    )

    assert 'homeostat_performance{metric="accuracy",pipeline="p"} 0.8' in text
    assert 'homeostat_drift{feature="price",pipeline="p"} 0.3' in text


def test_a_firing_is_timed_once_however_often_it_is_told() -> None:
    text = told(alert("firing", after=5), alert("firing", after=60), alert("resolved", after=90))

    assert 'homeostat_fault_to_alert_seconds_sum{kind="performance",pipeline="p"} 5.0' in text
    assert 'homeostat_fault_to_alert_seconds_count{kind="performance",pipeline="p"} 1.0' in text


def test_an_incident_is_timed_from_its_alert_to_its_resolution() -> None:
    text = told(entry("incident_opened", alert_kind="performance"), entry("incident_resolved", after=40))

    assert 'homeostat_alert_to_recovery_seconds_sum{kind="performance",pipeline="p"} 40.0' in text


def test_a_command_is_counted_when_it_has_ended() -> None:
    running = entry("command_result", action="retrain", state="running")
    text = told(running, entry("command_result", action="retrain", state="succeeded"))

    assert 'homeostat_commands_total{action="retrain",outcome="succeeded",pipeline="p"} 1.0' in text
    assert 'outcome="running"' not in text


def test_processor_time_is_shared_out_among_the_predictions_it_went_into() -> None:
    meters = Meters()
    observer = Observer("s", meters)
    observer.spent(10.0)
    observer.saw([prediction("1")] * 500, AT)

    observer.spent(11.0)

    assert 'homeostat_cost_per_thousand_predictions_seconds{pipeline="p"} 2.0' in meters.text().decode()
