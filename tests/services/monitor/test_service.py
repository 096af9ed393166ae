"""Stories of the healing matrix, as far as the monitor tells them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from services.monitor.service import Monitor
from shared.messages import Command, DeadLetter, Label, PipelineDefined
from shared.service import Batch
from shared.telemetry.metrics import BY_NAME

Make = Callable[..., Any]


def times_1000(row: dict[str, object]) -> dict[str, object]:
    return row | {"price": row["price"] * 1000}  # type: ignore[operator]


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


def test_performance_is_measured_for_each_version_in_windows_of_labelled_rows(stream: Make) -> None:
    s = stream(warm=1000)
    windows = s.metrics("performance")
    assert [w.window.index for w in windows] == [0, 1, 2, 3]
    assert all(w.by_version["1"]["rows"] == 250 for w in windows)
    assert abs(np.mean([w.values["accuracy"] for w in windows]) - 0.9) < 0.04
    assert windows[1].window.first_row == windows[0].window.last_row + 1
    assert windows[1].window.positions == {"0": windows[1].window.first_row}


def test_a_changed_rule_is_concept_drift_of_the_model_with_the_row_where_it_began(stream: Make) -> None:
    s = stream(warm=2000)
    s.run(400, error=0.7)
    ((row, alert),) = s.alerts()
    assert (alert.kind, alert.causes[0].kind) == ("concept_drift", "model")
    assert row <= 3400
    assert abs(alert.evidence.change.first_row - 3000) <= 20
    assert alert.evidence.change.positions["0"] == alert.evidence.change.first_row
    assert alert.evidence.baseline > 0.85
    assert alert.evidence.value < 0.5


def test_concept_drift_resolves_once_a_new_version_is_right(stream: Make) -> None:
    s = stream(warm=2000)
    s.run(300, error=0.7)
    s.publish("2", accuracy=0.9)
    s.run(200)
    states = [alert.state for _, alert in s.alerts("concept_drift")]
    assert states == ["firing", "resolved"]
    assert len({alert.id for _, alert in s.alerts("concept_drift")}) == 1
    s.run(2000)
    assert len(s.alerts()) == 2


def test_a_bad_release_is_the_versions_fault_within_300_labelled_rows(stream: Make) -> None:
    s = stream(warm=2000)
    s.publish("2", accuracy=0.95)
    s.run(300, error=0.5)
    ((row, alert),) = s.alerts()
    assert row <= 3300
    assert (alert.kind, alert.causes[0].kind, alert.causes[0].what) == ("performance", "version", "2")
    assert alert.evidence.change.first_row == 3000
    s.publish("1")
    s.run(200)
    assert s.alerts()[-1][1].state == "resolved"


def test_a_burst_that_is_over_when_it_is_noticed_is_no_alert(stream: Make) -> None:
    s = stream(warm=2000)
    s.run(100, error=0.9)
    s.run(2000)
    assert s.alerts() == []


def test_a_loss_is_over_only_after_many_good_rows_of_the_same_version(stream: Make) -> None:
    s = stream(warm=2000)
    s.run(600, error=0.6)
    s.run(300)
    assert [a.state for _, a in s.alerts()] == ["firing"]
    s.run(400)
    assert [a.state for _, a in s.alerts()] == ["firing", "resolved"]


def test_a_bad_release_is_found_while_an_earlier_loss_is_not_over(stream: Make) -> None:
    s = stream(warm=2000)
    s.run(600, error=0.35)
    s.publish("2", accuracy=0.1)
    s.run(500, error=0.9)
    said = [(a.kind, a.state, a.causes[0].kind) for _, a in s.alerts()]
    assert said == [
        ("concept_drift", "firing", "model"),
        ("concept_drift", "resolved", "model"),
        ("performance", "firing", "version"),
    ]


def test_a_small_loss_among_runs_of_errors_is_found_by_its_level_and_is_one_trouble(stream: Make) -> None:
    s = stream()
    s.run(1000)
    s.publish("1", accuracy=0.86)
    for _ in range(50):
        s.run(25, error=0.02, batch=25)
        s.run(25, error=0.26, batch=25)
    assert s.alerts() == []
    began = s.row
    for _ in range(20):
        s.run(25, error=0.14, batch=25)
        s.run(25, error=0.42, batch=25)
    ((row, alert),) = s.alerts()
    assert (alert.kind, alert.causes[0].kind) == ("performance", "model")
    assert row <= began + 1000
    alerts = s.monitor._state.pipelines["shop"].alerts
    assert alert.fingerprint == alerts.fingerprint("concept_drift", "model")
    assert len(alerts.firing) == 1


def test_a_bad_canary_is_measured_beside_the_champion_and_its_alert_names_it(stream: Make) -> None:
    s = stream(warm=2000)
    plain = s._answer

    def answer(name: str, truth: int, wrong: bool, offset: int) -> object:
        canary = offset % 4 == 0
        made = plain(name, truth, s.rng.random() < 0.7 if canary else wrong, offset)
        changed = {"model_version": "2", "role": "canary"} if canary else {}
        return type(made)(**{f: getattr(made, f) for f in made.__struct_fields__} | changed)

    s._answer = answer
    s.run(1000)
    ((row, alert),) = s.alerts()
    assert (alert.kind, alert.causes[0].kind, alert.causes[0].what) == ("performance", "version", "2")
    assert row <= 3400
    newest = s.metrics("performance")[-1].by_version
    assert newest["1"]["accuracy"] > newest["2"]["accuracy"] + 0.4


def shifted_answers(s: Any) -> None:
    """From here on the model always says 1."""
    plain = s._answer
    s._answer = lambda name, truth, wrong, offset: plain(name, 1, False, offset)


def ordered(s: Any, action: str) -> None:
    order = Command(
        id="c",
        incident="i",
        pipeline="shop",
        action=action,  # type: ignore[arg-type]
        arguments={},
        reason="",
        issued_by="policy:p@1",
        at=s.now,
        deadline=s.now,
    )
    s.take(s.monitor.on_commands(Batch("commands", 0, [0], [order]), s.now))


@pytest.mark.parametrize(("action", "early"), [("retrain", "info"), ("promote", "warning")])
def test_a_retrained_version_may_answer_differently_unless_labels_stay_away(
    stream: Make, action: str, early: str
) -> None:
    s = stream(warm=2000)
    ordered(s, action)
    s.publish("2", command="c")
    shifted_answers(s)
    s.run(500, labels=False)
    assert [a.severity for _, a in s.alerts("prediction_drift")] == [early]
    s.run(600, labels=False)
    assert s.alerts("prediction_drift")[-1][1].severity == "warning"


def test_a_bad_release_without_labels_shows_in_its_answers(stream: Make) -> None:
    s = stream(warm=2000)
    ordered(s, "promote")
    s.publish("2", command="c")
    always = s._answer
    s._answer = lambda name, truth, wrong, offset: always(name, 1, False, offset)
    s.run(1000, labels=False)
    kinds = {(a.kind, a.severity, a.causes[0].what) for _, a in s.alerts("prediction_drift")}
    assert ("prediction_drift", "warning", "2") in kinds


def test_a_changed_unit_is_a_fault_of_that_field_and_resolves_by_itself(stream: Make) -> None:
    s = stream(warm=2000, delay=100)
    s.run(1000, change=times_1000, error=0.5)
    (row, alert) = s.alerts()[0]
    assert row <= 3100
    assert (alert.kind, alert.causes[0].kind, alert.causes[0].what) == ("data_quality", "feature", "price")
    assert (alert.causes[1].kind, alert.causes[1].what) == ("source", "till")
    assert "times 1000" in alert.summary
    s.run(1000)
    assert [(a.kind, a.state) for _, a in s.alerts()] == [("data_quality", "firing"), ("data_quality", "resolved")]


def test_wrong_answers_on_faulty_inputs_are_not_held_against_the_model(stream: Make) -> None:
    s = stream(warm=2000)
    s.run(1000, change=times_1000, error=0.9)
    assert {a.kind for _, a in s.alerts()} == {"data_quality"}


def test_only_the_source_at_fault_is_named(stream: Make) -> None:
    s = stream()
    s.run(2000, sources=("north", "south"))
    turn = iter(range(10_000))
    s.run(400, sources=("north", "south"), change=lambda row: times_1000(row) if next(turn) % 2 else row)
    ((_, alert),) = s.alerts(state="firing")
    assert [c.what for c in alert.causes] == ["price", "south"]


def test_a_frozen_sensor_a_lost_field_and_a_new_category_are_faults_of_their_fields(stream: Make) -> None:
    s = stream()
    s.run(2000)
    broken = {"load": 7.5, "price": None, "colour": "mauve"}
    s.run(200, change=lambda row: row | broken)
    found = {a.causes[0].what: a.evidence.statistic for _, a in s.alerts(state="firing")}
    assert found == {"load": "frozen.load", "price": "missing.price", "colour": "new_category.colour"}


def test_moved_inputs_alone_are_information(stream: Make) -> None:
    s = stream(warm=2000)
    s.run(1000, change=lambda row: row | {"load": row["load"] + 4})
    assert s.alerts() == []
    ((_, alert),) = s.alerts("data_drift")
    assert (alert.severity, alert.causes[0].what) == ("info", "load")


def test_one_source_of_wrong_labels_is_found_out(stream: Make) -> None:
    s = stream(warm=2000)
    for start in range(3000, 3400, 50):
        s.run(50, labels=False)
        labels = []
        for i in range(start, start + 50):
            answer = s.monitor._state.pipelines["shop"].record.join.read("prediction", np.array([i]))[0]
            truth = int(s.monitor._state.pipelines["shop"].record.classes.names[int(answer)])
            poisoned = i % 2 == 0 and s.rng.random() < 0.8
            label = 1 - truth if poisoned else truth
            labels.append(Label(pipeline="shop", id=f"e{i}", label=label, source="south" if i % 2 == 0 else "north"))
        s.label(labels)
    (_, alert) = s.alerts()[0]
    assert (alert.kind, alert.causes[0].kind, alert.causes[0].what) == ("data_quality", "source", "south")


def test_labels_that_come_early_are_joined_when_their_event_comes(stream: Make) -> None:
    s = stream()
    s.label([Label(pipeline="shop", id=f"e{i}", label=1) for i in range(50)])
    s.run(50, labels=False)
    assert s.metrics("data")[-1].labelled_seen == 50


def test_a_label_without_an_event_becomes_a_dead_letter_and_is_counted(stream: Make) -> None:
    s = stream()
    s.label([Label(pipeline="shop", id="nobody", label=1)])
    s.run(10_050)
    (letter,) = s.dead()
    assert (letter.reason, letter.id, letter.topic, letter.pipeline) == ("unknown-id", "nobody", "labels", "shop")
    s.run(500)
    counts = [m.values["unknown_label_ids"] for m in s.metrics("data") if m.values]
    assert counts[-1] == 1.0


def test_on_an_idle_stream_a_label_without_an_event_is_given_up_after_a_while(stream: Make) -> None:
    s = stream()
    s.run(50)
    s.label([Label(pipeline="shop", id="nobody", label=1)])
    s.tick(100)
    assert s.dead() == []
    s.tick(300)
    assert [letter.id for letter in s.dead()] == ["nobody"]


def test_corrected_and_late_labels_revise_published_windows(stream: Make) -> None:
    s = stream(warm=1000)
    before = [w for w in s.metrics("performance") if w.window.index == 0][-1]
    wrong = [Label(pipeline="shop", id=f"e{i}", label=7) for i in range(1000, 1100)]
    s.label(wrong)
    s.tick()
    after = [w for w in s.metrics("performance") if w.window.index == 0][-1]
    assert after.revision == before.revision + 1
    assert after.values["accuracy"] < before.values["accuracy"] - 0.2
    assert after.labelled_seen == before.labelled_seen + 750


def test_completeness_says_how_many_labels_are_still_missing(stream: Make) -> None:
    s = stream(warm=250)
    s.run(100, labels=False)
    s.run(250)
    window = s.metrics("performance")[-1]
    assert window.completeness == 250 / 350


def test_performance_is_estimated_while_labels_are_missing(stream: Make) -> None:
    s = stream(warm=1000, delay=0)
    s.run(1000, labels=False)
    estimate = s.metrics("estimate")[-1]
    assert abs(estimate.values["accuracy"] - 0.9) <= estimate.values["accuracy.stated_error"] + 0.03
    assert estimate.completeness == 0.0


def test_an_estimate_reports_its_own_error_once_labels_are_there(stream: Make) -> None:
    s = stream(warm=1000, delay=600)
    s.run(3000)
    realised = [m for m in s.metrics("estimate") if m.revision == 1]
    assert realised
    for m in realised:
        assert m.values["accuracy.error"] == m.values["accuracy"] - m.values["accuracy.realised"]


def test_refused_rows_of_one_field_are_a_fault_of_that_field(stream: Make) -> None:
    s = stream(warm=1000)
    letters = [
        DeadLetter(
            topic="raw-data",
            partition=0,
            offset=i,
            reason="schema",
            detail="not a number",
            value=b"",
            field="load",
            pipeline="shop",
            source="north",
            service="ingest",
        )
        for i in range(40)
    ]
    s.take(s.monitor.on_dead_letters(Batch("dead-letters", 0, list(range(40)), letters), s.now))
    s.run(50)
    ((_, alert),) = s.alerts()
    assert (alert.kind, [c.what for c in alert.causes]) == ("data_quality", ["load", "north"])
    s.run(300)
    assert s.alerts()[-1][1].state == "resolved"


def test_a_source_that_stops_is_named_and_welcomed_back(stream: Make) -> None:
    s = stream()
    s.run(1500, sources=("north", "south", "south"))
    s.run(1000, sources=("south",))
    ((_, alert),) = s.alerts()
    assert (alert.kind, alert.causes[0].what) == ("data_quality", "north")
    s.run(100, sources=("north", "south"))
    assert s.alerts()[-1][1].state == "resolved"


def test_rows_answered_without_a_withheld_field_are_measured_apart(stream: Make) -> None:
    s = stream(warm=2000)
    s.run(1500, error=0.3, withheld=("price",))
    assert s.alerts() == []
    assert s.metrics("performance")[-1].values["accuracy"] < 0.8


def test_a_quarantine_shows_in_the_data_figures(stream: Make) -> None:
    s = stream(warm=500)
    order = Command(
        id="c",
        incident="i",
        pipeline="shop",
        action="quarantine_source",
        arguments={"source": "till", "fields": ["price"]},
        reason="",
        issued_by="policy:p@1",
        at=s.now,
        deadline=s.now,
    )
    s.take(s.monitor.on_commands(Batch("commands", 0, [0], [order]), s.now))
    s.run(500)
    assert s.metrics("data")[-1].values["quarantined.price"] == 1.0


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
    s = stream(warm=1000)
    s.run(53_000, batch=500)
    size = len(s.monitor.save())
    s.run(20_000, batch=500)
    assert len(s.monitor.save()) < 1.02 * size


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
