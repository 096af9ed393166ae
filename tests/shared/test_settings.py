"""Numbers from the environment: the default, the value, or an error that names the variable."""

from __future__ import annotations

import pytest

from shared.errors import Misconfigured
from shared.settings import common_settings, number, whole


@pytest.mark.parametrize("environ", [{}, {"HOMEOSTAT_X": ""}])
def test_what_is_not_set_or_empty_is_the_default(environ: dict[str, str]) -> None:
    assert whole(environ, "HOMEOSTAT_X", 7) == 7
    assert number(environ, "HOMEOSTAT_X", 2.5) == 2.5


@pytest.mark.parametrize("text", ["-1", "1.5", "ten", "²", "65536"])
def test_what_is_no_whole_number_within_the_bounds_is_refused_with_name_and_bounds(text: str) -> None:
    with pytest.raises(Misconfigured, match=r"HOMEOSTAT_X=.* whole number from 0 to 65535"):
        whole({"HOMEOSTAT_X": text}, "HOMEOSTAT_X", 7, most=65535)


@pytest.mark.parametrize("text", ["-0.1", "soon", "nan", "inf"])
def test_what_is_no_number_above_0_is_refused_with_its_name(text: str) -> None:
    with pytest.raises(Misconfigured, match="HOMEOSTAT_X="):
        number({"HOMEOSTAT_X": text}, "HOMEOSTAT_X", 2.5)


@pytest.mark.parametrize(
    ("environ", "endpoint"),
    [
        ({}, None),
        ({"OTEL_EXPORTER_OTLP_ENDPOINT": ""}, None),
        ({"OTEL_EXPORTER_OTLP_ENDPOINT": "http://c:4318"}, "http://c:4318/v1/traces"),
        ({"OTEL_EXPORTER_OTLP_ENDPOINT": "http://c:4318", "OTEL_SDK_DISABLED": "true"}, None),
        ({"OTEL_EXPORTER_OTLP_TRACES_ENDPOINT": "http://c/mine"}, "http://c/mine"),
    ],
)
def test_spans_go_where_opentelemetrys_own_variables_say(environ: dict[str, str], endpoint: str | None) -> None:
    assert common_settings({"KAFKA_BOOTSTRAP_SERVERS": "broker:9092", **environ}).traces_endpoint == endpoint


def test_a_protocol_for_spans_that_is_not_spoken_is_refused() -> None:
    environ = {
        "KAFKA_BOOTSTRAP_SERVERS": "broker:9092",
        "OTEL_EXPORTER_OTLP_ENDPOINT": "http://c:4317",
        "OTEL_EXPORTER_OTLP_PROTOCOL": "grpc",
    }

    with pytest.raises(Misconfigured, match=r"OTEL_EXPORTER_OTLP_PROTOCOL='grpc'.*http/protobuf alone"):
        common_settings(environ)


def test_the_common_settings_take_both() -> None:
    environ = {
        "KAFKA_BOOTSTRAP_SERVERS": "broker:9092",
        "HOMEOSTAT_DATA_PARTITIONS": "8",
        "HOMEOSTAT_TICK_SECONDS": "0.5",
    }

    settings = common_settings(environ)

    assert (settings.data_partitions, settings.tick_seconds) == (8, 0.5)
