"""Regression, and looking for anomalies."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from tests.services.monitor.changes import times_1000

Make = Callable[..., Any]


def test_regression_finds_a_lasting_rise_of_the_error(stream: Make, spec: Make) -> None:
    fields = {
        "id": {"type": "string"},
        "price": {"type": "number"},
        "load": {"type": "number"},
        "target": {"type": "number"},
    }
    s = stream(spec=spec(kind="regression", schema=fields))
    spread = {"now": 1.0}
    plain = s._answer

    def answer(name: str, truth: int, wrong: bool, offset: int) -> object:
        made = plain(name, truth, wrong, offset)
        value = truth + float(s.rng.normal(0, spread["now"]))
        return type(made)(
            **{f: getattr(made, f) for f in made.__struct_fields__}
            | {"prediction": value, "probabilities": None, "score": None}
        )

    s._answer = answer
    s.publish("1")
    s.run(2000)
    assert s.alerts() == []
    assert {"mae", "rmse", "r2"} <= set(s.metrics("performance")[-1].values)
    assert s.metrics("estimate")[-1].values["mae.stated_error"] < 0.3
    spread["now"] = 3.0
    s.run(400)
    ((_, alert),) = s.alerts()
    assert (alert.kind, alert.evidence.statistic) == ("concept_drift", "mae")
    assert alert.evidence.value > 2 * alert.evidence.baseline


def test_anomalous_answers_are_one_alert_until_they_stop(stream: Make, spec: Make) -> None:
    s = stream(spec=spec(kind="anomaly", target=None))
    hot = {"rows": set(range(1200, 1210))}
    plain = s._answer

    def answer(name: str, truth: int, wrong: bool, offset: int) -> object:
        made = plain(name, 0, False, offset)
        flagged = offset in hot["rows"]
        changed = {"prediction": flagged, "probabilities": None, "score": 0.9 if flagged else 0.1}
        return type(made)(**{f: getattr(made, f) for f in made.__struct_fields__} | changed)

    s._answer = answer
    s.publish("1")
    s.run(2000, labels=False)
    assert [(a.kind, a.state) for _, a in s.alerts()] == [("anomaly", "firing"), ("anomaly", "resolved")]
    assert s.alerts()[0][1].evidence.window.first_row == 1200


def anomalies(s: Any, *, flagged: Callable[[int], bool], entity: Callable[[int], str] = lambda _: "") -> None:
    """From here on the model flags these rows, of these entities."""
    plain = s._answer

    def answer(name: str, truth: int, wrong: bool, offset: int) -> object:
        made = plain(name, 0, False, offset)
        hot = flagged(offset)
        changed = {"prediction": hot, "probabilities": None, "score": 0.9 if hot else 0.1, "entity": entity(offset)}
        return type(made)(**{f: getattr(made, f) for f in made.__struct_fields__} | changed)

    s._answer = answer


def test_a_burst_of_one_among_many_entities_is_one_alert(stream: Make, spec: Make) -> None:
    schema = {name: {"type": "string"} for name in ("id", "colour")} | {
        name: {"type": "number"} for name in ("price", "load")
    }
    s = stream(spec=spec(kind="anomaly", target=None, schema=schema, key="colour"))
    burst = {1200, 1400, 1600, 1800}
    anomalies(s, flagged=lambda row: row in burst, entity=lambda row: f"server-{row % 10}")
    s.publish("1")
    s.run(2500, labels=False)
    assert [(a.kind, a.state, a.causes[0].what) for _, a in s.alerts()] == [("anomaly", "firing", "server-0")]
    s.run(500, labels=False)
    assert s.alerts()[-1][1].state == "resolved"


def test_a_value_far_from_the_usual_is_no_fault_where_anomalies_are_looked_for(stream: Make, spec: Make) -> None:
    s = stream(spec=spec(kind="anomaly", target=None))
    anomalies(s, flagged=lambda _: False)
    s.publish("1")
    s.run(2000, labels=False)
    s.run(500, labels=False, change=times_1000)
    assert s.alerts() == []
    s.run(200, labels=False, change=lambda row: row | {"price": None})
    assert s.alerts()[0][1].evidence.statistic == "missing.price"
