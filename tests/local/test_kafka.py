from __future__ import annotations

import socket
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

import pytest
from confluent_kafka import Producer
from confluent_kafka.admin import AdminClient, NewTopic

from homeostat.local.errors import NoSpace, PartFailed, PortInUse
from homeostat.local.guard import Guard
from homeostat.local.kafka import EmbeddedKafka, KafkaSettings, kafka_answers


@pytest.fixture
def settings(tmp_path: Path) -> KafkaSettings:
    return KafkaSettings(data_dir=tmp_path / "data", log=tmp_path / "kafka.log")


def _create(address: str, topic: str) -> None:
    admin = AdminClient({"bootstrap.servers": address})
    admin.create_topics([NewTopic(topic, 2, 1)])[topic].result()


def _topics(address: str) -> set[str]:
    return set(AdminClient({"bootstrap.servers": address}).list_topics(timeout=10).topics)


@pytest.mark.kafka
def test_a_broker_started_again_has_its_topics_and_its_port(settings: KafkaSettings, guard: Guard) -> None:
    broker = EmbeddedKafka(settings, guard)
    broker.start()
    broker.wait()
    port = broker.port
    _create(broker.bootstrap_servers, "kept")

    broker.stop()
    answered_after_stop = kafka_answers(port)
    broker.start()
    broker.wait()

    assert not answered_after_stop
    assert broker.port == port
    assert "kept" in _topics(broker.bootstrap_servers)
    assert "Kafka Server started" in settings.log.read_text()
    broker.stop()


@pytest.mark.kafka
def test_a_first_start_with_many_clients_at_once_leaves_no_warnings(settings: KafkaSettings, guard: Guard) -> None:
    broker = EmbeddedKafka(settings, guard)
    broker.start()
    usual = {"bootstrap.servers": broker.bootstrap_servers, "log_level": 0, "reconnect.backoff.max.ms": 100}
    producers = [Producer(usual | {"transactional.id": f"slot-{n}"}) for n in range(8)]

    with ThreadPoolExecutor(len(producers)) as threads:
        list(threads.map(lambda producer: producer.init_transactions(60.0), producers))
    broker.stop()

    assert "TOPIC_ALREADY_EXISTS" not in settings.log.read_text()


def test_a_port_in_use_is_named_with_the_setting_that_changes_it(settings: KafkaSettings, guard: Guard) -> None:
    with socket.create_server(("127.0.0.1", 0)) as other:
        port = other.getsockname()[1]
        with pytest.raises(PortInUse, match=rf"127.0.0.1:{port}.*KAFKA_PORT"):
            EmbeddedKafka(replace(settings, port=port), guard).start()


@pytest.mark.kafka
def test_another_broker_on_the_port_is_not_taken_for_this_one(
    settings: KafkaSettings, guard: Guard, kafka_bootstrap: str
) -> None:
    stranger = int(kafka_bootstrap.rpartition(":")[2])

    broker = EmbeddedKafka(replace(settings, port=stranger), guard)

    assert kafka_answers(stranger)
    assert not broker.ready()


def test_too_little_space_is_an_error_that_says_how_much_is_free(settings: KafkaSettings, guard: Guard) -> None:
    with pytest.raises(NoSpace, match=r"MiB free and Kafka needs"):
        EmbeddedKafka(replace(settings, required_bytes=2**62), guard).start()


def test_a_broker_that_cannot_start_says_so_at_once_and_names_its_log(settings: KafkaSettings, guard: Guard) -> None:
    broker = EmbeddedKafka(replace(settings, heap="1k"), guard)
    broker.start()

    with pytest.raises(PartFailed, match=rf"(?s)ended with status 1.*{settings.log}.*heap"):
        broker.wait()


@pytest.mark.kafka
def test_the_broker_of_the_test_run_answers(kafka_bootstrap: str, topic_prefix: str) -> None:
    _create(kafka_bootstrap, topic_prefix + "mine")

    assert topic_prefix + "mine" in _topics(kafka_bootstrap)
