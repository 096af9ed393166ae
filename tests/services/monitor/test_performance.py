"""What labels say of a version: its performance, the rows at which it was lost, and when that is over."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from services.monitor.core.explanation import of_loss
from services.monitor.core.trouble import Trouble

Make = Callable[..., Any]


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
    over = s.alerts("concept_drift")[-1][1].summary
    told = "accuracy is 0.893 over the last 150 labelled rows, answered by version 2; it was 0.899 before the loss"
    assert over.startswith(told), "in the metric in which the loss was told"
    s.run(2000)
    assert len(s.alerts()) == 2


def test_a_loss_before_which_too_little_was_measured_is_told_in_what_errors_stand_for(stream: Make, spec: Make) -> None:
    s = stream(spec=spec(gate={"metric": "f1"}))
    s.run(1000)
    s.publish("1", accuracy=0.9)
    s.run(400, error=0.7)

    ((_, alert),) = s.alerts()
    assert alert.evidence.statistic == "accuracy"
    assert alert.evidence.baseline >= 0.75
    assert alert.evidence.value < 0.5


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


def moved_load(row: dict[str, object]) -> dict[str, object]:
    """As much as a normal variable of 12 ± 4 can without being refused as faulty."""
    return row | {"load": float(row["load"]) + 6.0}  # type: ignore[arg-type]


def collapsed(s: Any, *, moved: bool = True, gated: bool = True) -> Any:
    """Version 2 takes over, and from then on half of the answers are wrong; the alert for it."""
    if gated:
        s.publish("2", accuracy=0.95)
    else:
        s.publish("2", accuracy=0.95, command="by-hand")
    s.run(300, error=0.5, change=moved_load if moved else dict)
    ((_, alert),) = s.alerts("performance")
    return alert


def test_a_version_that_passed_its_gate_and_collapses_with_an_input_that_moved_is_suspect_second(stream: Make) -> None:
    alert = collapsed(stream(warm=2000))

    assert [(cause.kind, cause.what) for cause in alert.causes[:2]] == [("feature", "load"), ("version", "2")]
    assert "load moved there; version 2, new since then too, is suspect second" in alert.summary


def test_a_version_that_collapses_alone_or_passed_no_gate_is_suspect_first(stream: Make) -> None:
    for alert in (collapsed(stream(warm=2000), moved=False), collapsed(stream(warm=2000), gated=False)):
        assert (alert.causes[0].kind, alert.causes[0].what) == ("version", "2")


def test_an_input_that_moves_among_rows_whose_labels_have_not_come_is_not_suspected(stream: Make) -> None:
    s = stream(warm=3000, delay=1500)
    s.publish("2", accuracy=0.95)
    s.run(1000, error=0.7)
    s.run(1000, error=0.7, change=moved_load)

    assert s.alerts("performance")[0][1].causes[0].kind == "version"


def test_an_input_that_had_moved_before_is_not_suspected_of_a_collapse_that_comes_later(stream: Make) -> None:
    s = stream(warm=2000)
    s.run(150, change=moved_load)
    s.publish("2", accuracy=0.95)
    s.run(300, error=0.5, change=moved_load)

    assert s.alerts("performance")[0][1].causes[0].kind == "version"


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
        ("performance", "firing", "version"),
        ("concept_drift", "resolved", "model"),
    ], "the end of the one alert is no news of help: the other tells of the same version before"


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


def test_rows_answered_without_a_withheld_field_are_measured_apart(stream: Make) -> None:
    s = stream(warm=2000)
    s.run(1500, error=0.3, withheld=("price",))
    assert s.alerts() == []
    assert s.metrics("performance")[-1].values["accuracy"] < 0.8


def test_what_is_called_a_loss_is_never_told_as_a_gain(stream: Make) -> None:
    s = stream(warm=2000)
    s.run(500, error=0.0)
    found = Trouble(False, "1", 0.05, 0.2, s.row - 500, s.row, 1e6, 1e5, 500, 1000, slow=True)

    told = of_loss(s.monitor._state.pipelines["shop"], found)

    assert told.evidence.value < told.evidence.baseline  # type: ignore[operator]
