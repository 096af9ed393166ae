"""Starts one service from an environment that holds its packages alone: `python -m tools.trial SERVICE PYTHON`.

It must become ready on a real broker and end in order. `make trial SERVICE=predictor`.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import tempfile
from pathlib import Path

from homeostat.local.kafka import passing_kafka
from homeostat.local.parts import http_ok
from homeostat.local.process import free_port
from homeostat.local.waiting import wait_for

READY_SECONDS = 60.0
END_SECONDS = 30.0


class TrialFailed(RuntimeError):
    """The service did not start, or did not end in order; what it wrote is in the message."""


def try_service(service: str, python: Path, bootstrap: str, folder: Path, prefix: str) -> None:
    """Returns when the service was ready and has ended with status 0; `TrialFailed` otherwise."""
    gateway, health = free_port(), free_port()
    environ = {
        "PATH": os.defpath,
        "KAFKA_BOOTSTRAP_SERVERS": bootstrap,
        "HOMEOSTAT_TOPIC_PREFIX": prefix,
        "HOMEOSTAT_DATA": str(folder),
        "HOMEOSTAT_SIGNING_KEY": "trial",
        "HOMEOSTAT_PORT": str(gateway),
        "HOMEOSTAT_PREDICTOR_PORT": "0",
        "HOMEOSTAT_HEALTH_PORT": str(health),
    }
    log, ports = folder / f"{service}.log", [health, gateway] if service == "gateway" else [health]
    with log.open("w") as out:
        process = subprocess.Popen(  # noqa: S603 - the service on trial
            [str(python), "-m", f"services.{service}"], env=environ, stdout=out, stderr=subprocess.STDOUT
        )
    try:
        wait_for(lambda: process.poll() is not None or all(http_ok(port, "/readyz") for port in ports), READY_SECONDS)
        if process.poll() is not None or not all(http_ok(port, "/readyz") for port in ports):
            raise TrialFailed(f"{service} was not ready in {READY_SECONDS:g} s:\n{log.read_text()}")
        if not http_ok(health, "/metrics"):
            raise TrialFailed(f"{service} shows no metrics on its health port:\n{log.read_text()}")
        process.send_signal(signal.SIGTERM)
        if process.wait(END_SECONDS) != 0:
            raise TrialFailed(f"{service} ended with status {process.returncode}:\n{log.read_text()}")
    finally:
        process.kill()


def main(service: str, python: str) -> int:
    with tempfile.TemporaryDirectory() as name, passing_kafka(Path(name)) as bootstrap:
        try:
            try_service(service, Path(python), bootstrap, Path(name), "trial.")
        except TrialFailed as error:
            sys.stderr.write(f"{error}\n")
            return 1
    sys.stdout.write(f"{service} starts, is ready and ends with its own packages alone\n")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1], sys.argv[2]))
