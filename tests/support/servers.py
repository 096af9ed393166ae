"""A real Kafka and a real Redis for tests, wherever they can be had."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from homeostat.local.guard import Guard
from homeostat.local.jars import KAFKA_VERSION
from homeostat.local.kafka import SINGLE_NODE, EmbeddedKafka, KafkaSettings, kafka_answers
from homeostat.local.process import free_port
from homeostat.local.waiting import wait_for
from tests.support.sharing import shared_server


@contextmanager
def kafka_server(folder: Path) -> Iterator[str]:
    """The address of a broker that answers: given by the environment, or shared by this test run."""
    if given := os.environ.get("KAFKA_BOOTSTRAP_SERVERS"):
        yield given
        return
    with shared_server(folder, "kafka", lambda: _start_kafka(folder), _kafka_answers) as address:
        yield address


def _start_kafka(folder: Path) -> tuple[str, Callable[[], None]]:
    return _container_kafka() if _docker_answers() else _embedded_kafka(folder)


def _embedded_kafka(folder: Path) -> tuple[str, Callable[[], None]]:
    guard = Guard()
    broker = EmbeddedKafka(KafkaSettings(data_dir=folder / "kafka", log=folder / "kafka.log"), guard)
    broker.start()
    broker.wait()

    def stop() -> None:
        broker.stop()
        guard.close()

    return broker.bootstrap_servers, stop


def _container_kafka() -> tuple[str, Callable[[], None]]:
    from testcontainers.core.container import DockerContainer

    port = free_port()
    settings = SINGLE_NODE | {
        "controller.quorum.voters": "1@127.0.0.1:29093",
        "listeners": f"PLAINTEXT://0.0.0.0:{port},CONTROLLER://127.0.0.1:29093",
        "advertised.listeners": f"PLAINTEXT://127.0.0.1:{port}",
    }
    container = DockerContainer(f"apache/kafka:{KAFKA_VERSION}").with_bind_ports(port, port)
    for name, value in settings.items():
        container.with_env("KAFKA_" + name.replace(".", "_").upper(), value)
    container.start()
    wait_for(lambda: kafka_answers(port), seconds=60)
    return f"127.0.0.1:{port}", container.stop


def _docker_answers() -> bool:
    import docker
    from docker.errors import DockerException

    try:
        return bool(docker.from_env(timeout=3).ping())
    except DockerException:
        return False


def _kafka_answers(address: str) -> bool:
    host, _, port = address.removeprefix("PLAINTEXT://").rpartition(":")
    return kafka_answers(int(port), host)
