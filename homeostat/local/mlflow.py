"""MLflow's tracking server and registry on this machine: SQLite and local artefacts, one process."""

from __future__ import annotations

import os
import sys
from pathlib import Path

from homeostat.local.guard import Guard
from homeostat.local.keys import environ_of
from homeostat.local.parts import Part, http_ok
from homeostat.local.process import Child, claim_port

AFTER_SECONDS = 10.0
"""Its start takes as much of the machine as a first model does, and that one somebody waits for."""


def mlflow_part(data_dir: Path, log: Path, port: int, guard: Guard, after: tuple[str, ...] = ()) -> Part:
    """MLflow on 127.0.0.1:`port`. Nobody waits for it: it starts a while after those named, and gives way to them."""
    child = Child("mlflow", log, guard)
    # `mlflow server` is a second process of 280 MB that only watches this one: here the supervisor
    # does. The variables are how it hands its options on (in 3.17, which the lock pins).
    options = {
        "_MLFLOW_SERVER_FILE_STORE": f"sqlite:///{data_dir / 'mlflow.db'}",
        "_MLFLOW_SERVER_ARTIFACT_ROOT": "mlflow-artifacts:/",
        "_MLFLOW_SERVER_ARTIFACT_DESTINATION": str(data_dir / "artifacts"),
        "_MLFLOW_SERVER_SERVE_ARTIFACTS": "true",
        "_MLFLOW_SGI_NAME": "uvicorn",
        "MLFLOW_SERVER_ENABLE_JOB_EXECUTION": "false",
        "MLFLOW_DISABLE_TELEMETRY": "true",
        "OMP_NUM_THREADS": "1",
    }

    def launch() -> None:
        claim_port("mlflow", port, "MLFLOW_PORT")
        data_dir.mkdir(parents=True, exist_ok=True)
        server = [sys.executable, "-m", "uvicorn", "--host", "127.0.0.1", "--port", str(port)]
        quiet = ["--log-level", "warning", "mlflow.server.fastapi_app:app"]
        child.start(
            ["nice", "-n", "10", *server, *quiet], {**environ_of("mlflow", os.environ), **options}, cwd=data_dir
        )

    def answers() -> bool:
        return child.listens_on(port) and http_ok(port, "/health")

    return Part(
        "mlflow",
        child,
        launch,
        ready=answers,
        alive=answers,
        service="mlflow",
        needs=after,
        after_seconds=AFTER_SECONDS,
        awaited=False,
        stop_seconds=10,
    )
