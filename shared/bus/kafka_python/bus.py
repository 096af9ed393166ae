"""The factory: connections, topics and offsets."""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from typing import Any, TypeVar

from kafka import IsolationLevel, KafkaAdminClient, OffsetSpec, TopicPartition
from kafka.admin import MemberToRemove
from kafka.errors import KafkaError, TopicAlreadyExistsError

from shared.bus.base import REQUEST_SECONDS, TopicSpec
from shared.bus.kafka_python.clients import Clients
from shared.bus.kafka_python.producer import KafkaPythonProducer
from shared.bus.kafka_python.reader import KafkaPythonReader
from shared.bus.kafka_python.transaction import KafkaPythonTransaction
from shared.errors import Misconfigured, Transient

T = TypeVar("T")


class KafkaPythonBus:
    """Connections to one cluster. `limits` holds the largest record of topics that differ from the rest."""

    def __init__(
        self, bootstrap_servers: str, *, session_timeout_ms: int = 10_000, limits: Mapping[str, int] | None = None
    ) -> None:
        self.clients = Clients(bootstrap_servers, session_timeout_ms, dict(limits or {}))
        self._connected: KafkaAdminClient | None = None
        self._one_at_a_time = threading.Lock()

    def producer(self, client_id: str) -> KafkaPythonProducer:
        return self._made(lambda: KafkaPythonProducer(self.clients, client_id))

    def reader(self, client_id: str) -> KafkaPythonReader:
        return KafkaPythonReader(self, self.clients, client_id)

    def transaction(self, group: str, transactional_id: str, client_id: str) -> KafkaPythonTransaction:
        return self._made(
            lambda: KafkaPythonTransaction(self.clients, group, transactional_id, client_id, self.leave, self.ping)
        )

    def ensure_topics(self, topics: Sequence[TopicSpec], timeout: float) -> None:
        there = self._partitions()
        for spec in topics:
            if there.get(spec.name, spec.partitions) < spec.partitions:
                raise Misconfigured(
                    f"topic {spec.name} has {there[spec.name]} partitions, {spec.partitions} are asked for: "
                    "set HOMEOSTAT_DATA_PARTITIONS to what is there, or use another HOMEOSTAT_TOPIC_PREFIX"
                )
        for spec in topics:
            if spec.name not in there:
                self._create(spec, timeout)

    def ping(self, timeout: float) -> None:
        self._ask(lambda admin: admin.describe_cluster())

    def cluster_id(self, timeout: float) -> str:
        return str(self._ask(lambda admin: admin.describe_cluster())["cluster_id"])

    def committed(self, group: str) -> dict[tuple[str, int], int]:
        found = self._ask(lambda admin: admin.list_group_offsets({group: None})).get(group, {})
        return {(at.topic, at.partition): each.offset for at, each in found.items() if each.offset >= 0}

    def close(self) -> None:
        with self._one_at_a_time:
            if self._connected is not None:
                self._connected.close()
                self._connected = None

    def offsets(self, topic: str, spec: OffsetSpec, isolation: IsolationLevel) -> dict[int, int]:
        """One offset per partition of `topic`."""
        found = self._partitions()
        if topic not in found:
            raise Misconfigured(
                f"topic {topic} does not exist at {self.clients.bootstrap_servers}: call ensure_topics first"
            )
        asked = {TopicPartition(topic, partition): spec for partition in range(found[topic])}
        wait = int(REQUEST_SECONDS * 1000)
        answers = self._ask(lambda admin: admin.list_partition_offsets(asked, isolation, wait))
        return {at.partition: answer.offset for at, answer in sorted(answers.items())}

    def leave(self, group: str, instance: str) -> None:
        """Gives up a static member's place at once. Where that fails, it ends with its session."""
        with suppress(KafkaError, Transient, Misconfigured):
            self._ask(lambda admin: admin.remove_group_members(group, [MemberToRemove(group_instance_id=instance)]))

    def _create(self, spec: TopicSpec, timeout: float) -> None:
        wanted = {
            "num_partitions": spec.partitions,
            "replication_factor": spec.replication,
            "configs": dict(spec.config),
        }
        try:
            self._ask(
                lambda admin: admin.create_topics(
                    {spec.name: wanted}, timeout_ms=int(timeout * 1000), wait_for_metadata=True
                )
            )
        except TopicAlreadyExistsError:
            return

    def _partitions(self) -> dict[str, int]:
        described: list[dict[str, Any]] = self._ask(lambda admin: admin.describe_topics())
        return {topic["name"]: len(topic["partitions"]) for topic in described if not topic.get("error_code")}

    def _ask(self, question: Callable[[KafkaAdminClient], Any]) -> Any:
        with self._one_at_a_time:
            if self._connected is None:
                self._connected = self._made(lambda: KafkaAdminClient(**self.clients.common("homeostat-admin")))
            return self._made(lambda: question(self._connected))

    def _made(self, make: Callable[[], T]) -> T:
        try:
            return make()
        except TopicAlreadyExistsError:
            raise
        except KafkaError as error:
            if getattr(error, "retriable", False):
                where = self.clients.bootstrap_servers
                raise Transient(f"no Kafka broker answers at {where}: {type(error).__name__}: {error}") from error
            raise Misconfigured(f"Kafka refuses: {type(error).__name__}: {error}") from error
