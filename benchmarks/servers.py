"""The servers of the REST benchmark, each started as its documents say, on a port of its own, and asked alike."""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psutil
import skops.io

from benchmarks.environments import CHECKOUT, python_of
from benchmarks.load import load
from benchmarks.peer_process import environ_of_peers
from benchmarks.plain_model import PlainModel
from homeostat.local.process import free_port
from homeostat.local.waiting import wait_for
from shared.errors import HomeostatError

START_SECONDS = 120.0


@dataclass(frozen=True)
class Server:
    """Where a server answers, and the one row it is asked about, in its own words."""

    port: int
    path: str
    body: bytes


Start = Callable[[PlainModel, Path], Any]
"""Gives a context in which the server answers; files of it lie in the folder."""


def matrix_request(model: PlainModel) -> bytes:
    """One row in the Open Inference Protocol v2, as one matrix."""
    (row,) = model.numbers(1)
    tensor = {"name": "rows", "shape": [1, len(row)], "datatype": "FP64", "data": row}
    return json.dumps({"inputs": [tensor]}).encode()


@contextmanager
def limit(model: PlainModel, folder: Path) -> Iterator[Server]:
    """No model, no HTTP to speak of: what the load generator can ask."""
    port = free_port()
    server = Server(port, "/", matrix_request(model))
    with _running([sys.executable, "-m", "benchmarks.limit", str(port)], server, folder / "limit.log"):
        yield server


@contextmanager
def mlflow(model: PlainModel, folder: Path) -> Iterator[Server]:
    """`mlflow models serve` in our own environment, whose MLflow and scikit-learn are the same."""
    from mlflow.sklearn import save_model

    saved = folder / "mlflow"
    save_model(model.estimator, str(saved), pyfunc_predict_fn="predict_proba", serialization_format="cloudpickle")
    port = free_port()
    command = [sys.executable, "-m", "mlflow", "models", "serve", "--model-uri", str(saved), "--env-manager", "local"]
    command += ["--host", "127.0.0.1", "--port", str(port), "--workers", "1"]
    server = Server(port, "/invocations", json.dumps({"inputs": model.numbers(1)}).encode())
    with _running(command, server, folder / "mlflow.log"):
        yield server


@contextmanager
def mlserver(model: PlainModel, folder: Path) -> Iterator[Server]:
    """`mlserver start` on a folder with the model, its settings left as they are but for the ports."""
    import joblib

    home = folder / "mlserver"
    home.mkdir()
    joblib.dump(model.estimator, home / "model.joblib")
    kind = {"name": "plain", "implementation": "mlserver_sklearn.SKLearnModel", "parameters": {"uri": "./model.joblib"}}
    (home / "model-settings.json").write_text(json.dumps(kind))
    ports = {"http_port": free_port(), "grpc_port": free_port(), "metrics_port": free_port()}
    (home / "settings.json").write_text(json.dumps(ports))
    asked = json.loads(matrix_request(model)) | {"outputs": [{"name": "predict_proba"}]}
    server = Server(ports["http_port"], "/v2/models/plain/infer", json.dumps(asked).encode())
    command = [str(python_of("mlserver").with_name("mlserver")), "start", str(home)]
    with _running(command, server, folder / "mlserver.log"):
        yield server


@contextmanager
def bentoml(model: PlainModel, folder: Path) -> Iterator[Server]:
    """`bentoml serve` on `benchmarks.peers.bento`."""
    file = folder / "model.skops"
    skops.io.dump(model.estimator, file)
    port = free_port()
    server = Server(port, "/predict", json.dumps({"rows": model.numbers(1)}).encode())
    command = [str(python_of("bentoml").with_name("bentoml")), "serve", "benchmarks.peers.bento:Prediction"]
    command += ["--host", "127.0.0.1", "--port", str(port)]
    own = {"BENCH_MODEL": str(file), "BENTOML_HOME": str(folder / "bentoml")}
    with _running(command, server, folder / "bentoml.log", own):
        yield server


@contextmanager
def gateway(behind: Server, environ: Mapping[str, str], folder: Path) -> Iterator[Server]:
    """Our gateway before our predictor, on the same Kafka."""
    port = free_port()
    own = {**environ, "HOMEOSTAT_PORT": str(port), "HOMEOSTAT_HEALTH_PORT": "0"}
    own["HOMEOSTAT_PREDICTOR_URL"] = f"http://127.0.0.1:{behind.port}"
    server = Server(port, behind.path, behind.body)
    with _running([sys.executable, "-m", "services.gateway"], server, folder / "gateway.log", own):
        yield server


@contextmanager
def _running(
    command: Sequence[str], server: Server, log: Path, environ: Mapping[str, str] | None = None
) -> Iterator[None]:
    """The command's process until it gave a good answer, and then for as long as it is wanted."""
    path = os.pathsep.join([str(Path(command[0]).parent), os.environ.get("PATH", os.defpath)])
    own = {**environ_of_peers(), "PATH": path, **(environ or {})}
    with log.open("wb") as out:
        process = subprocess.Popen(command, cwd=CHECKOUT, env=own, stdout=out, stderr=subprocess.STDOUT)
    try:
        if not wait_for(lambda: answers(server) or process.poll() is not None, START_SECONDS, every=0.5):
            raise HomeostatError(
                f"{command[0]} did not answer within {START_SECONDS:g} s: see {log.read_text()[-2000:]}"
            )
        if process.poll() is not None:
            raise HomeostatError(f"{command[0]} ended as it started: {log.read_text()[-2000:]}")
        yield
    finally:
        _end(process)


def answers(server: Server) -> bool:
    """Whether it gives a good answer by now."""
    try:
        socket.create_connection(("127.0.0.1", server.port), 1.0).close()
        return load(server.port, server.path, server.body, 1, 0.2).answers > 0
    except (HomeostatError, OSError, subprocess.SubprocessError):
        return False


def _end(process: subprocess.Popen[bytes]) -> None:
    """Ends it with all it started: some servers leave workers behind."""
    with suppress(psutil.NoSuchProcess):
        children = psutil.Process(process.pid).children(recursive=True)
        process.terminate()
        with suppress(subprocess.TimeoutExpired):
            process.wait(10)
        for each in children:
            with suppress(psutil.NoSuchProcess):
                each.kill()
    process.kill()
    process.wait()
