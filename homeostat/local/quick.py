"""What makes Kafka's start short, made once and kept beside its jars.

Java's own start is most of Kafka's: an ahead-of-time cache (JEP 483 and 514) holds the classes as they
are once loaded and linked. And a new data folder is laid out from a pattern, without a Java to do it.
Where either is missing, Kafka starts as it does anywhere.

`python -m homeostat.local.quick` makes both (`make setup`).
"""

from __future__ import annotations

import logging
import os
import shutil
import sys
from pathlib import Path
from tempfile import TemporaryDirectory

from tenacity import Retrying, retry_if_exception_type, stop_after_delay, wait_fixed

from homeostat.local.guard import Guard
from homeostat.local.jars import MAVEN, cache_folder
from homeostat.local.kafka import EmbeddedKafka, KafkaSettings
from homeostat.local.recorded import CHECKPOINT, archive, pattern
from shared.bus.base import NewRecord
from shared.bus.factory import connect
from shared.errors import HomeostatError, Transient
from shared.runtime.installation import topic_specs
from shared.settings import common_settings
from shared.topics import TELEMETRY

RECORDING_SECONDS = 300.0
"""How long a slow machine may take to write down what was loaded, when the recorded Kafka ends."""


def record(cache: Path, maven: str = MAVEN) -> None:
    """Starts Kafka once, has it do what it does at every start, and keeps what it loaded and its empty folder."""
    part = archive(cache).with_suffix(f".{os.getpid()}.part")
    with TemporaryDirectory() as folder:
        data, guard = Path(folder), Guard()
        usual = KafkaSettings(data_dir=data, log=data / "kafka.log", cache=cache, maven=maven)
        options = (*usual.jvm_options, f"-XX:AOTCacheOutput={part}")
        recorded = KafkaSettings(data_dir=data, log=usual.log, cache=cache, maven=maven, jvm_options=options)
        broker = EmbeddedKafka(recorded, guard)
        try:
            broker.start()
            broker.wait()
            shutil.copy(data / "log" / CHECKPOINT, pattern(cache))
            _exercise(broker.bootstrap_servers)
            broker.stop(RECORDING_SECONDS)
        finally:
            broker.stop(0)
            guard.close()
    if part.exists():
        part.replace(archive(cache))


_settled = Retrying(
    retry=retry_if_exception_type(Transient), wait=wait_fixed(0.2), stop=stop_after_delay(30), reraise=True
)
"""A broker that has just begun may not be its groups' coordinator yet."""


def _exercise(address: str) -> None:
    settings = common_settings({"KAFKA_BOOTSTRAP_SERVERS": address})
    bus = connect(settings)
    bus.ensure_topics(topic_specs(settings), 60)
    topic = settings.full_name(TELEMETRY.name)
    transaction = bus.transaction("recorded", "recorded", "recorded")
    transaction.commit([NewRecord(topic, b"", b"{}")], {})
    _settled(transaction.committed, [(topic, 0)])
    transaction.close()
    reader = bus.reader("recorded")
    list(reader.read(topic, 0, 0, reader.end_offsets(topic)[0]))
    reader.close()
    bus.close()


def main() -> None:
    """Records where nothing was recorded yet. What goes wrong is said, and is no reason to do without Kafka."""
    cache = cache_folder()
    if archive(cache).exists() and pattern(cache).exists():
        return
    logging.disable(logging.WARNING)  # the clients' first questions come before their answers are there
    try:
        record(cache, os.environ.get("HOMEOSTAT_MAVEN", MAVEN).rstrip("/"))
    except (HomeostatError, OSError) as error:
        sys.stderr.write(f"Kafka's start could not be recorded, it will take some seconds longer: {error}\n")


if __name__ == "__main__":
    main()
