from __future__ import annotations

from datetime import UTC, datetime, timedelta

import msgspec

from services.monitor.core.alerting import Alerts, Finding
from shared.messages import Cause, Evidence, Window

NOW = datetime(2026, 3, 1, tzinfo=UTC)


def finding(statistic: str) -> Finding:
    return Finding(
        kind="data_quality",
        place="price",
        severity="warning",
        summary=statistic,
        evidence=Evidence(
            statistic=statistic,
            value=1.0,
            threshold=0.5,
            window=Window(index=0, first_row=0, last_row=49, rows=50),
            samples=50,
        ),
        causes=(Cause(kind="feature", what="price", score=1.0), Cause(kind="source", what="till", score=0.9)),
    )


def test_refused_rows_that_turn_out_to_be_a_fault_of_the_field_are_told_again() -> None:
    alerts = Alerts("shop", 10.0)

    first = alerts.raise_(finding("dead_letters.price"), NOW, 100)
    again = alerts.raise_(finding("dead_letters.price"), NOW, 150)
    fault = alerts.raise_(finding("unit.price"), NOW, 200)
    back = alerts.raise_(finding("dead_letters.price"), NOW, 250)

    assert [len(said) for said in (first, again, fault, back)] == [1, 0, 1, 0]
    assert (fault[0].id, fault[0].evidence.statistic) == (first[0].id, "unit.price")


def test_an_alert_is_since_the_arrival_of_the_first_row_of_the_change() -> None:
    alerts = Alerts("shop", 10.0)
    alerts.arrivals.see(0, (NOW - timedelta(seconds=60)).timestamp())
    alerts.arrivals.see(50, (NOW - timedelta(seconds=40)).timestamp())
    plain = finding("unit.price")
    change = Window(index=0, first_row=70, last_row=99, rows=30)

    (alert,) = alerts.raise_(
        msgspec.structs.replace(plain, evidence=msgspec.structs.replace(plain.evidence, change=change)), NOW, 100
    )

    assert (alert.since, alert.at) == (NOW - timedelta(seconds=40), NOW)


def test_an_alert_is_since_it_is_told_where_nothing_says_when_it_began() -> None:
    (alert,) = Alerts("shop", 10.0).raise_(finding("unit.price"), NOW, 100)

    assert alert.since == NOW
