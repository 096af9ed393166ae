"""The factory: connections, topics and offsets."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

import tenacity
from confluent_kafka import ConsumerGroupTopicPartitions, IsolationLevel, KafkaError, KafkaException, TopicPartition
from confluent_kafka.admin import AdminClient, ClusterMetadata, NewTopic, OffsetSpec  # type: ignore[attr-defined]

from shared.bus.base import REQUEST_SECONDS, TopicSpec
from shared.bus.librdkafka.administration import Administration
from shared.bus.librdkafka.clients import Clients
from shared.bus.librdkafka.producer import LibrdkafkaProducer
from shared.bus.librdkafka.reader import LibrdkafkaReader
from shared.bus.librdkafka.transaction import LibrdkafkaTransaction
from shared.clock import monotonic
from shared.errors import Misconfigured, Transient

KNOWN_POLL_SECONDS = 0.05


class LibrdkafkaBus:
    """Connections to one cluster. `limits` holds the largest record of topics that differ from the rest."""

    def __init__(
        self, bootstrap_servers: str, *, session_timeout_ms: int = 10_000, limits: Mapping[str, int] | None = None
    ) -> None:
        self.clients = Clients(bootstrap_servers, session_timeout_ms, dict(limits or {}))
        self._administration = Administration(self.clients)

    def producer(self, client_id: str) -> LibrdkafkaProducer:
        return LibrdkafkaProducer(self.clients, client_id)

    def reader(self, client_id: str) -> LibrdkafkaReader:
        return LibrdkafkaReader(self, self.clients, client_id)

    def transaction(self, group: str, transactional_id: str, client_id: str) -> LibrdkafkaTransaction:
        return LibrdkafkaTransaction(self.clients, group, transactional_id, client_id)

    def ensure_topics(self, topics: Sequence[TopicSpec], timeout: float) -> None:
        there = self._partitions(timeout)
        missing = [spec for spec in topics if spec.name not in there]
        for spec in topics:
            if there.get(spec.name, spec.partitions) < spec.partitions:
                raise Misconfigured(
                    f"topic {spec.name} has {there[spec.name]} partitions, {spec.partitions} are asked for: "
                    "set HOMEOSTAT_DATA_PARTITIONS to what is there, or use another HOMEOSTAT_TOPIC_PREFIX"
                )
        if missing:
            new = [NewTopic(s.name, s.partitions, s.replication, config=dict(s.config)) for s in missing]
            asked = self._administration.ask(lambda admin: admin.create_topics(new, request_timeout=timeout))
            for name, made in asked.items():
                self._settle(name, made.result)
            self._wait_until_known([spec.name for spec in missing], timeout)

    def ping(self, timeout: float) -> None:
        self._partitions(timeout)

    def cluster_id(self, timeout: float) -> str:
        return str(self._listed(timeout).cluster_id)

    def committed(self, group: str) -> dict[tuple[str, int], int]:
        asked = [ConsumerGroupTopicPartitions(group)]
        try:
            found = self._administration.ask(
                lambda admin: admin.list_consumer_group_offsets(asked, request_timeout=REQUEST_SECONDS)[group].result()
            ).topic_partitions
        except KafkaException as error:
            raise Transient(f"committed offsets of {group}: {error.args[0].str()}") from error
        return {(at.topic, at.partition): at.offset for at in found or () if at.offset >= 0}

    def close(self) -> None:
        """Nothing but the administration's connection is held, and that ends with the object."""

    def offsets(self, topic: str, spec: OffsetSpec, isolation: IsolationLevel) -> dict[int, int]:
        """One offset per partition of `topic`."""
        found = self._partitions(REQUEST_SECONDS, topic)
        asked = {TopicPartition(topic, partition): spec for partition in range(found[topic])}
        deadline = monotonic() + REQUEST_SECONDS
        while True:
            try:
                return self._administration.ask(lambda admin: _offsets(admin, asked, isolation))
            except KafkaException as error:
                if not error.args[0].retriable() or monotonic() > deadline:
                    raise Transient(f"offsets of {topic}: {error.args[0].str()}") from error

    def _listed(self, timeout: float, topic: str | None = None) -> ClusterMetadata:
        given = {"topic": topic} if topic else {}
        try:
            return self._administration.ask(lambda admin: admin.list_topics(timeout=timeout, **given))
        except KafkaException as error:
            raise Transient(
                f"no Kafka broker answers at {self.clients.bootstrap_servers}: {error.args[0].str()}"
            ) from error

    def _partitions(self, timeout: float, topic: str | None = None) -> dict[str, int]:
        listed = self._listed(timeout, topic)
        found = {name: len(one.partitions) for name, one in listed.topics.items() if one.error is None}
        if topic and topic not in found:
            raise Misconfigured(
                f"topic {topic} does not exist at {self.clients.bootstrap_servers}: call ensure_topics first"
            )
        return found

    def _wait_until_known(self, names: Sequence[str], timeout: float) -> None:
        """A topic is created before every broker knows it; the next question may come too soon."""
        retrying = tenacity.Retrying(
            retry=tenacity.retry_if_result(lambda known: not known),
            wait=tenacity.wait_fixed(KNOWN_POLL_SECONDS),
            stop=tenacity.stop_after_delay(timeout),
        )
        try:
            retrying(lambda: set(names) <= set(self._partitions(timeout)))
        except tenacity.RetryError as error:
            raise Transient(f"topics {', '.join(names)} were created, but no broker shows them yet") from error

    def _settle(self, topic: str, result: Callable[[], object]) -> None:
        try:
            result()
        except KafkaException as error:
            code = error.args[0]
            if code.code() == KafkaError.TOPIC_ALREADY_EXISTS:
                return
            if code.retriable() or code.code() in {KafkaError._TIMED_OUT, KafkaError._TRANSPORT}:
                raise Transient(f"topic {topic} could not be created: {code.str()}") from error
            raise Misconfigured(f"topic {topic} cannot be created: {code.str()}") from error


def _offsets(admin: AdminClient, asked: dict[TopicPartition, OffsetSpec], isolation: IsolationLevel) -> dict[int, int]:
    answers = admin.list_offsets(asked, isolation_level=isolation, request_timeout=REQUEST_SECONDS)
    return {at.partition: answer.result().offset for at, answer in answers.items()}
