"""What each service says when it cannot start, and what holds for its process before anything is imported."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest

SERVICES = ("gateway", "ingest", "monitor", "predictor", "remediator", "trainer")
CLEAN = {
    name: value
    for name, value in os.environ.items()
    if not name.startswith(("HOMEOSTAT_", "KAFKA_", "OMP_", "OPENBLAS_", "MKL_"))
}


@pytest.mark.parametrize("service", SERVICES)
def test_a_missing_setting_is_one_line_that_names_it_and_status_2(service: str) -> None:
    command = [sys.executable, "-m", f"services.{service}"]
    run = subprocess.run(command, env=CLEAN, capture_output=True, text=True, check=False)

    assert run.returncode == 2
    assert run.stderr.splitlines() == [
        f"{service}: KAFKA_BOOTSTRAP_SERVERS is not set: give the address of a Kafka broker, as 127.0.0.1:9092"
    ]


def test_numpy_finds_one_thread_asked_for_whatever_started_the_service() -> None:
    code = "import os, services.monitor; print(os.environ['OMP_NUM_THREADS'], os.environ['OPENBLAS_NUM_THREADS'])"

    run = subprocess.run([sys.executable, "-c", code], env=CLEAN, capture_output=True, text=True, check=True)

    assert run.stdout.split() == ["1", "1"]
