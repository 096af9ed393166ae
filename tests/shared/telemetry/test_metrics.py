"""The list of metrics, and the page made from it."""

from __future__ import annotations

from pathlib import Path

import pytest

from shared.telemetry.metrics import METRICS, Meters, page


def test_the_page_of_metrics_is_current() -> None:
    written = (Path(__file__).parents[3] / "docs" / "metrics.md").read_text()

    assert written == page(), "run: python -m shared.telemetry.metrics > docs/metrics.md"


def test_names_keep_to_the_rules() -> None:
    for metric in METRICS:
        assert metric.name.startswith("homeostat_")
        assert metric.name.endswith("_total") == (metric.kind == "counter"), metric.name
        assert not {"id", "incident", "command"} & set(metric.labels), metric.name
        assert bool(metric.buckets) == (metric.kind == "histogram"), metric.name
    assert len({metric.name for metric in METRICS}) == len(METRICS)


def test_what_is_counted_set_and_observed_is_served() -> None:
    meters = Meters()
    meters.count("homeostat_records_in_total", 3, service="ingest", topic="raw-data")
    meters.set("homeostat_live_version", 1, pipeline="p", model_version="2")
    meters.observe("homeostat_step_seconds", 0.02, service="ingest")

    text = meters.text().decode()

    assert 'homeostat_records_in_total{service="ingest",topic="raw-data"} 3.0' in text
    assert 'homeostat_live_version{model_version="2",pipeline="p"} 1.0' in text
    assert 'homeostat_step_seconds_bucket{le="0.025",service="ingest"} 1.0' in text


def test_a_gauge_that_is_removed_is_no_longer_served() -> None:
    meters = Meters()
    meters.set("homeostat_live_version", 1, pipeline="p", model_version="2")

    meters.remove("homeostat_live_version", pipeline="p", model_version="2")

    assert 'model_version="2"' not in meters.text().decode()


def test_a_gauge_that_was_removed_is_served_again_once_it_is_set() -> None:
    meters = Meters()
    meters.set("homeostat_live_version", 1, pipeline="p", model_version="2")
    meters.remove("homeostat_live_version", pipeline="p", model_version="2")

    meters.set("homeostat_live_version", 3, pipeline="p", model_version="2")

    assert 'homeostat_live_version{model_version="2",pipeline="p"} 3.0' in meters.text().decode()


def test_a_name_that_is_not_in_the_list_is_refused() -> None:
    with pytest.raises(KeyError):
        Meters().count("homeostat_invented_total", 1)


def test_every_metric_of_the_list_is_given_by_some_part() -> None:
    root = Path(__file__).parents[3]
    code = "".join(
        path.read_text()
        for folder in ("shared", "services")
        for path in sorted((root / folder).rglob("*.py"))
        if path.name != "metrics.py" or path.parent.name != "telemetry"
    )

    assert [metric.name for metric in METRICS if f'"{metric.name}"' not in code] == []
