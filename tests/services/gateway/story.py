"""A whole story as the services would write it: a drift that was healed, a bad field under quarantine, a question."""

from __future__ import annotations

import math
from datetime import datetime, timedelta
from typing import Any

from shared.clock import utc_now
from shared.messages import Cause, Evidence, Expectation, Metrics
from shared.topics import (
    ALERTS,
    AUDIT,
    COMMAND_RESULTS,
    COMMANDS,
    METRICS,
    MODEL_PUBLISHED,
    PIPELINES,
    PREDICTIONS,
    TELEMETRY,
)
from tests.services.gateway.messages import (
    alert,
    audit,
    command,
    defined,
    heartbeat,
    metrics,
    prediction,
    published,
    refer,
    result,
    window,
)
from tests.services.gateway.running import Running

WINDOWS = 80
DRIFT, HEALED, UNITS = 30, 42, 60


def tell(gateway: Running, now: datetime | None = None) -> None:
    """Puts the story on the log, ending at `now`."""
    now = now or utc_now()

    def when(index: float) -> datetime:
        return now - timedelta(seconds=(WINDOWS - index) * 2)

    gateway.put(PIPELINES, defined())
    for service in ("ingest", "predictor", "monitor", "trainer", "remediator", "redis", "mlflow"):
        gateway.put(TELEMETRY, heartbeat(service, now, lag={"features": 12}))
    gateway.put(MODEL_PUBLISHED, published())
    gateway.put(METRICS, *(_window(index, when(index)) for index in range(WINDOWS)))
    gateway.put(METRICS, *(_inputs(index, when(index)) for index in range(0, WINDOWS, 2)))
    gateway.put(PREDICTIONS, *(prediction(f"e{n}", at=now) for n in range(500)))
    _drift(gateway, when)
    _units(gateway, when)


def _window(index: int, when: datetime) -> Metrics:
    level = 0.62 if DRIFT <= index < HEALED else 0.86
    wave = 0.018 * math.sin(index * 1.7) + 0.012 * math.cos(index * 0.6)
    return metrics(
        index, {"accuracy": level + wave, "f1": level}, at=when, model_version="2" if index >= HEALED else "1"
    )


def _inputs(index: int, when: datetime) -> Metrics:
    bad = index >= UNITS
    values = {
        "psi.nswprice": 1.9 if bad else 0.04,
        "psi.vicprice": 0.12,
        "missing.nswprice": 0.0,
        "missing.vicprice": 0.03,
        "out_of_range.nswprice": 0.31 if bad else 0.0,
        "out_of_range.vicprice": 0.0,
    }
    return metrics(index // 2, values, family="data", at=when, window=window(index // 2, 500))


def _drift(gateway: Running, when: Any) -> None:
    (raised,) = gateway.put(ALERTS, alert(since=when(DRIFT + 2), at=when(DRIFT + 2)))
    told = {"alert": "alert-1"}
    expects = Expectation(metric="performance.accuracy", direction="up", bound=0.74, rows=500, by=when(WINDOWS))
    gateway.put(
        AUDIT,
        audit(
            0, "incident_opened", alert().summary, at=when(DRIFT + 2), body=told, refs=(refer("alerts", raised.offset),)
        ),
        audit(
            1,
            "triaged",
            "concept drift: the inputs look as before, the answers are wrong",
            at=when(DRIFT + 3),
            body=told,
        ),
        audit(2, "command_issued", "retrain", at=when(DRIFT + 3), body={"command": "command-1", "action": "retrain"}),
    )
    gateway.put(COMMANDS, command(at=when(DRIFT + 3), expects=expects))
    gateway.put(COMMAND_RESULTS, result("accepted", at=when(DRIFT + 4)), result(at=when(HEALED - 1)))
    gateway.put(
        MODEL_PUBLISHED,
        published(
            "2", previous="1", incident="incident-1", command="command-1", reason="trained on rows since the change"
        ),
    )
    gateway.put(ALERTS, alert("resolved", since=when(DRIFT + 2), at=when(HEALED + 4)))
    judged = {
        "command": "command-1",
        "measured": 0.853,
        "rows": 500,
        "expects": {"metric": "performance.accuracy", "direction": "up", "bound": 0.74},
    }
    gateway.put(
        AUDIT,
        audit(3, "verified", "retrain did what was expected: accuracy 0.853", at=when(HEALED + 5), body=judged),
        audit(
            4,
            "incident_resolved",
            "healed itself: accuracy is 0.853 over 500 rows (wanted 0.74)",
            at=when(HEALED + 5),
            body={"ending": "healed"},
        ),
    )


def _units(gateway: Running, when: Any) -> None:
    found = Evidence(statistic="psi.nswprice", value=1.9, threshold=0.25, window=window(60), samples=500, baseline=0.04)
    suspect = Cause(kind="feature", what="nswprice", score=0.97, detail="every value about 1000 times what it was")
    noticed = alert(
        id="alert-2",
        fingerprint="elec2/nswprice",
        kind="data_quality",
        severity="warning",
        since=when(UNITS + 1),
        at=when(UNITS + 1),
        summary="nswprice from source meter-7 is about 1000 times what it was",
        evidence=found,
        causes=(suspect,),
    )
    (raised,) = gateway.put(ALERTS, noticed)
    of = {"incident": "incident-2"}
    gateway.put(
        AUDIT,
        audit(5, "incident_opened", noticed.summary, at=when(UNITS + 1), refs=(refer("alerts", raised.offset),), **of),
        audit(6, "triaged", "unit change: one field of one source moved by a factor", at=when(UNITS + 1), **of),
        audit(7, "awaiting_approval", "quarantine_source waits for approval", at=when(UNITS + 2), **of),
    )
