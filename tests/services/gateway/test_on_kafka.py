"""The gateway as a process of its own, over a real Kafka."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx
import pytest
from tenacity import Retrying, retry_if_exception_type, retry_if_result, stop_after_delay, wait_fixed

from homeostat.local.process import free_port
from shared.bus.base import NewRecord
from shared.bus.factory import connect
from shared.codec import decode, encode
from shared.settings import common_settings
from shared.topics import ALERTS, RAW_DATA
from tests.services.gateway.messages import DOCUMENT, alert
from tests.services.gateway.running import HASHES, KEY
from tests.services.gateway.test_live import parsed

pytestmark = pytest.mark.kafka


@contextmanager
def process(environ: dict[str, str], port: int) -> Iterator[httpx.Client]:
    """A gateway that is ready; SIGTERM must end it in order."""
    started = subprocess.Popen(
        [sys.executable, "-m", "services.gateway"], env=os.environ | environ | {"HOMEOSTAT_PORT": str(port)}
    )
    try:
        with httpx.Client(
            base_url=f"http://127.0.0.1:{port}", headers={"X-API-Key": KEY}, timeout=30, trust_env=False
        ) as client:
            ready = Retrying(
                retry=retry_if_exception_type(httpx.HTTPError) | retry_if_result(lambda answer: answer.is_error),
                wait=wait_fixed(0.2),
                stop=stop_after_delay(90),
            )
            ready(client.get, "/readyz")
            yield client
        started.send_signal(signal.SIGTERM)
        assert started.wait(30) == 0
    finally:
        started.kill()
        started.wait()


def test_what_is_accepted_is_on_kafka_and_a_stream_resumes_across_a_restart(
    kafka_bootstrap: str, topic_prefix: str, tmp_path: Path
) -> None:
    environ = {
        "KAFKA_BOOTSTRAP_SERVERS": kafka_bootstrap,
        "HOMEOSTAT_TOPIC_PREFIX": topic_prefix,
        "HOMEOSTAT_DATA": str(tmp_path),
        "HOMEOSTAT_API_KEY_HASHES": HASHES["tester"],
    }
    settings = common_settings(environ)
    bus = connect(settings)
    alerts, raw = settings.full_name(ALERTS.name), settings.full_name(RAW_DATA.name)
    port = free_port()

    with process(environ, port) as client:
        assert client.put("/v1/pipelines/elec2", json=DOCUMENT).status_code == 201
        sent = client.post(
            "/v1/pipelines/elec2/events", json=[{"id": n, "nswprice": 1, "vicprice": 2} for n in range(50)]
        )
        with client.stream("GET", "/v1/alerts/stream") as stream:
            first_id = next(parsed(stream))["id"]
    producer = bus.producer("test")
    producer.send([NewRecord(alerts, b"elec2", encode(alert(id=f"alert-{n}"))) for n in range(3)], 20)
    with process(environ, port) as client:
        known = client.get("/v1/pipelines/elec2").json()
        with client.stream("GET", "/v1/alerts/stream", headers={"Last-Event-ID": first_id}) as stream:
            events = parsed(stream)
            next(events)
            resumed = [next(events)["data"]["id"] for _ in range(3)]

    reader = bus.reader("test")
    ends = reader.end_offsets(raw)
    records = [r for p, end in ends.items() for chunk in reader.read(raw, p, 0, end) for r in chunk]
    assert sent.json()["accepted"] == 50
    assert {decode(RAW_DATA, record.value).id for record in records} == {str(n) for n in range(50)}
    assert known["version"] == 1
    assert resumed == ["alert-0", "alert-1", "alert-2"]
    reader.close()
    producer.close()


def test_without_kafka_it_refuses_to_start_and_names_the_address(tmp_path: Path) -> None:
    environ = os.environ | {"HOMEOSTAT_DATA": str(tmp_path)}
    environ.pop("KAFKA_BOOTSTRAP_SERVERS", None)

    ended = subprocess.run(
        [sys.executable, "-m", "services.gateway"], env=environ, capture_output=True, text=True, timeout=60, check=False
    )

    assert ended.returncode == 2
    assert ended.stderr.startswith("gateway: KAFKA_BOOTSTRAP_SERVERS is not set")


def test_what_became_of_rows_is_told_from_what_ingest_committed_on_kafka(
    kafka_bootstrap: str, topic_prefix: str, tmp_path: Path
) -> None:
    environ = {
        "KAFKA_BOOTSTRAP_SERVERS": kafka_bootstrap,
        "HOMEOSTAT_TOPIC_PREFIX": topic_prefix,
        "HOMEOSTAT_DATA": str(tmp_path),
    }
    rows = [{"id": n, "nswprice": 1, "vicprice": 2} for n in range(500)]
    again = [*rows[:100], {"id": 7, "nswprice": 9, "vicprice": 9}]
    with (
        process(environ | {"HOMEOSTAT_API_KEY_HASHES": HASHES["tester"]}, free_port()) as client,
        ingest(environ),
    ):
        client.put("/v1/pipelines/elec2", json=DOCUMENT).raise_for_status()
        first, second = (accepted_and_followed(client, each) for each in (rows, again[:100]))
        third = accepted_and_followed(client, again[100:])

    assert (first["taken"], first["repeated"], first["pending"]) == (500, 0, 0)
    assert (second["taken"], second["repeated"], second["pending"]) == (0, 100, 0)
    assert (third["taken"], third["refused"], third["pending"]) == (0, {"id-conflict": 1}, 0)


def accepted_and_followed(client: httpx.Client, rows: list[dict[str, int]]) -> dict[str, Any]:
    written = client.post("/v1/pipelines/elec2/events", json=rows).json()["written"]
    question = {"written": written}
    asked = Retrying(
        retry=retry_if_result(lambda found: found["pending"]), wait=wait_fixed(0.2), stop=stop_after_delay(60)
    )
    found: dict[str, Any] = asked(
        lambda: (
            client.post("/v1/pipelines/elec2/outcomes", json=question, params={"wait": 10}).raise_for_status().json()
        )
    )
    return found


@contextmanager
def ingest(environ: dict[str, str]) -> Iterator[None]:
    started = subprocess.Popen(
        [sys.executable, "-m", "services.ingest"],
        env=os.environ | environ | {"HOMEOSTAT_HEALTH_PORT": str(free_port())},
    )
    try:
        yield
    finally:
        started.kill()
        started.wait()
