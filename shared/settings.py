"""Settings that every service shares. Read once, in `__main__`, and passed down."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from shared.errors import Misconfigured


@dataclass(frozen=True, slots=True, kw_only=True)
class CommonSettings:
    """Where the other parts are, and how the runtime behaves.

    `kafka_client`: ``confluent``, ``kafka-python`` or ``auto`` (the faster one that is installed).
    `redis_url` None: snapshots stay in files under `data_dir`. `batch_records` bounds one step; a slow one takes fewer.
    `signing_key` signs and verifies artefacts. `instance` is this process's slot: its transactional
    ids are made from it, so that a restart fences the process it replaces. `traces_endpoint` None: no
    spans are made. What may hold a secret is left out when settings are printed.
    """

    bootstrap_servers: str
    data_dir: Path
    kafka_client: str = "auto"
    topic_prefix: str = ""
    data_partitions: int = 4
    replication: int = 1
    redis_url: str | None = field(default=None, repr=False)
    mlflow_tracking_uri: str | None = field(default=None, repr=False)
    signing_key: bytes = field(default=b"", repr=False)
    instance: str = "0"
    batch_records: int = 10_000
    tick_seconds: float = 1.0
    snapshot_seconds: float = 10.0
    transaction_deadline_seconds: float = 40.0
    session_timeout_ms: int = 10_000
    health_host: str = "127.0.0.1"
    health_port: int = 0
    job_workers: int = 1
    log_level: str = "info"
    traces_endpoint: str | None = field(default=None, repr=False)

    def full_name(self, topic: str) -> str:
        """The topic's name on this installation's cluster, prefix included."""
        return self.topic_prefix + topic


def common_settings(environ: Mapping[str, str]) -> CommonSettings:
    """The settings in `environ`; `Misconfigured` names the variable that is missing or wrong."""
    bootstrap = environ.get("KAFKA_BOOTSTRAP_SERVERS", "")
    if not bootstrap:
        raise Misconfigured("KAFKA_BOOTSTRAP_SERVERS is not set: give the address of a Kafka broker, as 127.0.0.1:9092")
    return CommonSettings(
        bootstrap_servers=bootstrap,
        data_dir=Path(environ.get("HOMEOSTAT_DATA", ".homeostat")),
        kafka_client=environ.get("HOMEOSTAT_KAFKA_CLIENT", "auto"),
        topic_prefix=environ.get("HOMEOSTAT_TOPIC_PREFIX", ""),
        data_partitions=whole(environ, "HOMEOSTAT_DATA_PARTITIONS", 4, least=1),
        replication=whole(environ, "HOMEOSTAT_REPLICATION", 1, least=1),
        redis_url=environ.get("REDIS_URL") or None,
        mlflow_tracking_uri=environ.get("MLFLOW_TRACKING_URI") or None,
        signing_key=environ.get("HOMEOSTAT_SIGNING_KEY", "").encode(),
        instance=environ.get("HOMEOSTAT_INSTANCE", "0"),
        batch_records=whole(environ, "HOMEOSTAT_BATCH_RECORDS", 10_000, least=1),
        tick_seconds=number(environ, "HOMEOSTAT_TICK_SECONDS", 1.0),
        snapshot_seconds=number(environ, "HOMEOSTAT_SNAPSHOT_SECONDS", 10.0),
        transaction_deadline_seconds=number(environ, "HOMEOSTAT_TRANSACTION_DEADLINE_SECONDS", 40.0),
        session_timeout_ms=whole(environ, "HOMEOSTAT_SESSION_TIMEOUT_MS", 10_000, least=1),
        health_host=environ.get("HOMEOSTAT_HEALTH_HOST", "127.0.0.1"),
        health_port=whole(environ, "HOMEOSTAT_HEALTH_PORT", 0, most=65535),
        job_workers=whole(environ, "HOMEOSTAT_JOB_WORKERS", 1),
        log_level=environ.get("HOMEOSTAT_LOG_LEVEL", "info"),
        traces_endpoint=_traces_endpoint(environ),
    )


def _traces_endpoint(environ: Mapping[str, str]) -> str | None:
    """Where spans go, by OpenTelemetry's own variables.

    >>> _traces_endpoint({"OTEL_EXPORTER_OTLP_ENDPOINT": "http://collector:4318/"})
    'http://collector:4318/v1/traces'
    """
    base, own = environ.get("OTEL_EXPORTER_OTLP_ENDPOINT"), environ.get("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT")
    if environ.get("OTEL_SDK_DISABLED", "").strip().lower() == "true" or not (base or own):
        return None
    name = "OTEL_EXPORTER_OTLP_TRACES_PROTOCOL"
    name = name if environ.get(name) else "OTEL_EXPORTER_OTLP_PROTOCOL"
    if (protocol := environ.get(name) or "http/protobuf") != "http/protobuf":
        raise Misconfigured(
            f"{name}={protocol!r}: spans are sent by http/protobuf alone; give the collector's address for that "
            "(usually port 4318) and unset this"
        )
    return own or f"{(base or '').rstrip('/')}/v1/traces"


def whole(environ: Mapping[str, str], name: str, default: int, *, least: int = 0, most: int | None = None) -> int:
    """The whole number in the variable `name`, `default` where it is not set or empty.

    `Misconfigured` where it is none, or is not from `least` to `most`.

    >>> whole({"PORT": "80"}, "PORT", 8080), whole({}, "PORT", 8080)
    (80, 8080)
    """
    text = environ.get(name) or str(default)
    if text.isascii() and text.isdigit() and least <= int(text) and (most is None or int(text) <= most):
        return int(text)
    bounds = f"of at least {least}" if most is None else f"from {least} to {most}"
    raise Misconfigured(f"{name}={text!r} is not a whole number {bounds}")


def number(environ: Mapping[str, str], name: str, default: float) -> float:
    """The number in the variable `name`, `default` where it is not set or empty.

    `Misconfigured` where it is none, or is below 0 or not finite.
    """
    text = environ.get(name) or str(default)
    try:
        found = float(text)
    except ValueError as error:
        raise Misconfigured(f"{name}={text!r} is not a number") from error
    if not 0 <= found < math.inf:
        raise Misconfigured(f"{name}={text!r} is not a number of at least 0")
    return found
