"""Questions to the cluster itself: topics, offsets, groups."""

from __future__ import annotations

from collections.abc import Callable
from threading import Lock
from typing import TypeVar

from confluent_kafka import KafkaException
from confluent_kafka.admin import AdminClient

from shared.bus.librdkafka.clients import AWAY, Clients

Answer = TypeVar("Answer")


class Administration:
    """One connection, made when first needed, and made anew once it is not answered.

    librdkafka's admin client that knew a group's coordinator before a broker crashed may wait for it for ever after,
    while a new one is answered at once.
    """

    def __init__(self, clients: Clients) -> None:
        self._clients = clients
        self._connected: AdminClient | None = None
        self._one_at_a_time = Lock()

    def ask(self, question: Callable[[AdminClient], Answer]) -> Answer:
        """What `question` gets. A connection that was made before is not believed when it says nobody answers.

        Raises what `question` raises.
        """
        client, is_new = self._client()
        try:
            return question(client)
        except KafkaException as error:
            if error.args[0].code() not in AWAY:
                raise
            self._forget(client)
            if is_new:
                raise
        return question(self._client()[0])

    def _client(self) -> tuple[AdminClient, bool]:
        with self._one_at_a_time:
            if self._connected is not None:
                return self._connected, False
            self._connected = AdminClient(self._clients.common("homeostat-admin"))
            return self._connected, True

    def _forget(self, client: AdminClient) -> None:
        with self._one_at_a_time:
            if self._connected is client:
                self._connected = None
