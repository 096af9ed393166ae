"""What the local stack can be told, read once from the environment."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from homeostat.local.jars import MAVEN, cache_folder
from shared.settings import whole
from shared.topics import SERVICES

KAFKA_PORT = 9092
PREDICTOR_PORT = "HOMEOSTAT_PREDICTOR_PORT"
KAFKA_HEAP = "256m"
KAFKA_JVM_OPTIONS = ("-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1", "-XX:+AlwaysPreTouch")
"""With the heap taken whole at the start, what Kafka holds does not grow with its age."""

_LAST_PORT = 65535


@dataclass(frozen=True, slots=True, kw_only=True)
class StackSettings:
    """One stack.

    Ports 0: any that are free; `kafka_port` None: 9092 where it is free. A server whose address is
    given (`bootstrap_servers`, `redis_url`, `mlflow_tracking_uri`) is used as it is, not started.
    `start_seconds` bounds the wait for Kafka and the services; MLflow is never waited for.
    `environ` is passed on to the services.
    """

    data_dir: Path
    port: int = 8080
    predictor_port: int = 8081
    kafka_port: int | None = None
    kafka_controller_port: int = 0
    redis_port: int = 0
    mlflow_port: int = 0
    bootstrap_servers: str | None = None
    redis_url: str | None = None
    mlflow_tracking_uri: str | None = None
    kafka_heap: str = KAFKA_HEAP
    kafka_jvm_options: tuple[str, ...] = KAFKA_JVM_OPTIONS
    cache: Path = field(default_factory=cache_folder)
    maven: str = MAVEN
    services: tuple[str, ...] = SERVICES
    start_seconds: float = 120.0
    environ: Mapping[str, str] = field(default_factory=dict)


def stack_settings(data: Path, port: int, environ: Mapping[str, str]) -> StackSettings:
    """The settings in `environ` for a stack in the folder `data` with its gateway on `port`.

    The predictor's port is the one after it. With `port` 0, every port that `environ` does not name is any free one.
    """
    defaults = StackSettings(data_dir=data)
    return StackSettings(
        data_dir=data.resolve(),
        port=port,
        predictor_port=whole(environ, PREDICTOR_PORT, port + 1 if 0 < port < _LAST_PORT else 0, most=_LAST_PORT),
        kafka_port=whole(environ, "KAFKA_PORT", 0, most=_LAST_PORT) if port == 0 or environ.get("KAFKA_PORT") else None,
        kafka_controller_port=whole(environ, "KAFKA_CONTROLLER_PORT", 0, most=_LAST_PORT),
        redis_port=whole(environ, "REDIS_PORT", 0, most=_LAST_PORT),
        mlflow_port=whole(environ, "MLFLOW_PORT", 0, most=_LAST_PORT),
        bootstrap_servers=environ.get("KAFKA_BOOTSTRAP_SERVERS") or None,
        redis_url=environ.get("REDIS_URL") or None,
        mlflow_tracking_uri=environ.get("MLFLOW_TRACKING_URI") or None,
        kafka_heap=environ.get("KAFKA_HEAP") or defaults.kafka_heap,
        kafka_jvm_options=tuple(environ.get("KAFKA_JVM_OPTIONS", "").split()) or defaults.kafka_jvm_options,
        cache=cache_folder(environ),
        maven=environ.get("HOMEOSTAT_MAVEN", MAVEN).rstrip("/"),
        environ=environ,
    )
