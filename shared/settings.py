"""Settings that every service shares. Read once, in `__main__`, and passed down."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TypeVar

from shared.errors import Misconfigured

N = TypeVar("N", int, float)


@dataclass(frozen=True, slots=True, kw_only=True)
class CommonSettings:
    """Where the other parts are, and how the runtime behaves.

    `kafka_client`: ``confluent``, ``kafka-python`` or ``auto`` (the faster one that is installed).
    `redis_url` None: snapshots stay in files under `data_dir`. `batch_records` bounds one step.
    `signing_key` signs and verifies artefacts. `instance` is this process's slot: its transactional
    ids are made from it, so that a restart fences the process it replaces. What may hold a secret is
    left out when settings are printed.
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
    batch_records: int = 1000
    tick_seconds: float = 1.0
    snapshot_seconds: float = 10.0
    transaction_deadline_seconds: float = 40.0
    session_timeout_ms: int = 10_000
    health_host: str = "127.0.0.1"
    health_port: int = 0
    job_workers: int = 1
    log_level: str = "info"

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
        data_partitions=_number(environ, "HOMEOSTAT_DATA_PARTITIONS", 4, int),
        replication=_number(environ, "HOMEOSTAT_REPLICATION", 1, int),
        redis_url=environ.get("REDIS_URL") or None,
        mlflow_tracking_uri=environ.get("MLFLOW_TRACKING_URI") or None,
        signing_key=environ.get("HOMEOSTAT_SIGNING_KEY", "").encode(),
        instance=environ.get("HOMEOSTAT_INSTANCE", "0"),
        batch_records=_number(environ, "HOMEOSTAT_BATCH_RECORDS", 1000, int),
        tick_seconds=_number(environ, "HOMEOSTAT_TICK_SECONDS", 1.0, float),
        snapshot_seconds=_number(environ, "HOMEOSTAT_SNAPSHOT_SECONDS", 10.0, float),
        transaction_deadline_seconds=_number(environ, "HOMEOSTAT_TRANSACTION_DEADLINE_SECONDS", 40.0, float),
        session_timeout_ms=_number(environ, "HOMEOSTAT_SESSION_TIMEOUT_MS", 10_000, int),
        health_host=environ.get("HOMEOSTAT_HEALTH_HOST", "127.0.0.1"),
        health_port=_number(environ, "HOMEOSTAT_HEALTH_PORT", 0, int),
        job_workers=_number(environ, "HOMEOSTAT_JOB_WORKERS", 1, int),
        log_level=environ.get("HOMEOSTAT_LOG_LEVEL", "info"),
    )


def _number(environ: Mapping[str, str], name: str, default: N, kind: type[N]) -> N:
    text = environ.get(name)
    if text is None or text == "":
        return default
    try:
        return kind(text)
    except ValueError as error:
        raise Misconfigured(f"{name}={text!r} is not a number ({kind.__name__})") from error
