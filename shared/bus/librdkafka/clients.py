"""How every librdkafka client is set up, and what producing and consuming mean here.

The settings that matter were measured: `fetch.queue.backoff.ms` keeps a full queue from stopping the
fetcher for a second, `retry.backoff.ms` keeps a transaction that follows another from waiting.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from itertools import repeat
from typing import Any

import structlog
from confluent_kafka import Consumer, KafkaError, Message, Producer

from shared.bus.base import (
    ENOUGH_BYTES,
    FETCH_WAIT_MS,
    REQUEST_SECONDS,
    TRANSACTION_SECONDS,
    Fenced,
    NewRecord,
    Record,
    largest_request,
)
from shared.clock import monotonic
from shared.errors import Transient

_log = structlog.get_logger("homeostat.bus")
_EOF = KafkaError._PARTITION_EOF
_FATAL = KafkaError._FATAL
AWAY = {KafkaError._TRANSPORT, KafkaError._ALL_BROKERS_DOWN, KafkaError._RESOLVE, KafkaError._TIMED_OUT}
_AWAY_WORDS = ("Connect to", "Disconnected", "Failed to resolve", "brokers are down", "Connection setup timed out")
AGAIN_SECONDS = 30.0
QUIET_SECONDS = 5.0


@dataclass(frozen=True, slots=True)
class Clients:
    """Where the cluster is, and the settings of each kind of client."""

    bootstrap_servers: str
    session_timeout_ms: int
    limits: Mapping[str, int]

    def common(self, client_id: str) -> dict[str, Any]:
        """What every client is told."""
        return {
            "bootstrap.servers": self.bootstrap_servers,
            "client.id": client_id,
            "error_cb": _log_error,
            "logger": _librdkafka,
            "retry.backoff.ms": 2,
            "socket.timeout.ms": int(REQUEST_SECONDS * 1000),
            "reconnect.backoff.max.ms": 1000,
            "allow.auto.create.topics": False,
        }

    def consuming(self, client_id: str, group: str, fetch_wait_ms: int = FETCH_WAIT_MS) -> dict[str, Any]:
        """What every consumer is told."""
        return self.common(client_id) | {
            "group.id": group,
            "enable.auto.commit": False,
            "enable.auto.offset.store": False,
            "isolation.level": "read_committed",
            "auto.offset.reset": "earliest",
            "enable.partition.eof": True,
            "fetch.queue.backoff.ms": 2,
            "fetch.wait.max.ms": fetch_wait_ms,
            "queued.max.messages.kbytes": 16_384,
        }

    def producing(self, client_id: str) -> dict[str, Any]:
        """What every producer is told."""
        return self.common(client_id) | {
            "acks": "all",
            "enable.idempotence": True,
            "linger.ms": 1,
            "partitioner": "murmur2_random",
            "message.max.bytes": largest_request(self.limits),
            "message.timeout.ms": int(TRANSACTION_SECONDS * 1000) - 1000,
        }

    def in_group(self, client_id: str, group: str) -> dict[str, Any]:
        """What a member of a group is told."""
        return self.consuming(client_id, group) | {
            "group.instance.id": client_id,
            "partition.assignment.strategy": "cooperative-sticky",
            "session.timeout.ms": self.session_timeout_ms,
            "heartbeat.interval.ms": max(100, self.session_timeout_ms // 5),
            "max.poll.interval.ms": 300_000,
        }


def produce(
    producer: Producer,
    records: Iterable[NewRecord],
    deadline: float,
    told: Iterable[Callable[[KafkaError | None, Message], None] | None] = repeat(None),
) -> None:
    """Hands the records to the client, in order; `told` is whom to tell of each one's delivery.

    `Transient` where it takes no more until `deadline`. Written for speed: every record of a service passes here.
    """
    send = producer.produce
    for record, on_delivery in zip(records, told, strict=False):
        partition = -1 if record.partition is None else record.partition
        while True:
            try:
                # By position: the client takes twice as long over names. The last but one is the time, 0 for now.
                send(record.topic, record.value, record.key, partition, on_delivery, None, 0, [*record.headers])
                break
            except BufferError:
                if monotonic() > deadline:
                    raise Transient(
                        f"Kafka does not take records for {record.topic}: the send queue stays full"
                    ) from None
                producer.poll(0.1)


def drain(
    consumer: Consumer, most: int, timeout: float, *, until_end: bool = False
) -> tuple[list[Record], dict[tuple[str, int], int]]:
    """Waits for one record, then takes what is there; also the ends of partitions that were reached.

    `until_end`: reaching an end ends the waiting too.
    """
    records: list[Record] = []
    ends: dict[tuple[str, int], int] = {}
    taken = 0
    deadline = monotonic() + timeout
    messages: list[Any] = consumer.consume(1, timeout)
    outage.check()  # what failed meanwhile was told of in `consume`
    while messages:
        found = [
            Record(
                m.topic(),
                m.partition(),
                m.offset(),
                m.key(),
                m.value() or b"",
                tuple(headers) if (headers := m.headers()) else (),
                m.timestamp()[1],
            )
            for m in messages
            if m.error() is None
        ]
        records += found
        taken += sum([len(record.value) for record in found])
        if len(found) < len(messages):
            ends |= _ends_among(messages)
        left = most - len(records)
        if left <= 0 or taken >= ENOUGH_BYTES:
            break
        messages = consumer.consume(left, 0.0)
        idle = not messages and not records and not (until_end and ends)
        if idle and (waiting := deadline - monotonic()) > 0:
            messages = consumer.consume(1, waiting)
    return records, ends


def _ends_among(messages: list[Any]) -> dict[tuple[str, int], int]:
    """The ends of partitions that these tell of. What else is no record is logged; `Fenced` where it is fatal."""
    ends: dict[tuple[str, int], int] = {}
    for message in messages:
        error = message.error()
        if error is None:
            continue
        if error.code() == _EOF:
            ends[message.topic(), message.partition()] = message.offset()
        elif error.fatal() or error.code() == _FATAL:  # a message's error is never marked as fatal itself
            raise Fenced(error.str())
        else:
            _log.warning("kafka consumer", error=error.str(), topic=message.topic())
    return ends


class Outage:
    """Says that brokers cannot be reached: at once, then at most every `AGAIN_SECONDS`, then that they are back.

    Each client of a process tries again every second and says so twice; a service has several. Safe
    from many threads. Back means that nothing has failed for `QUIET_SECONDS`: with one broker of many
    away, records still come.
    """

    def __init__(self, clock: Callable[[], float]) -> None:
        self._clock = clock
        self._lock = threading.Lock()
        self._since: float | None = None
        self._last = self._said = 0.0
        self._count = 0

    def failed(self, why: str) -> None:
        """One attempt has failed."""
        with self._lock:
            self._last, self._count = self._clock(), self._count + 1
            if self._since is None:
                self._since = self._said = self._last
                _log.warning("kafka cannot be reached", why=why)
            elif self._last - self._said >= AGAIN_SECONDS:
                self._said = self._last
                away = round(self._last - self._since)
                _log.warning("kafka still cannot be reached", why=why, seconds=away, failures=self._count)

    def check(self) -> None:
        """Called now and then by whoever uses a client: says that it is over."""
        if self._since is None:
            return
        with self._lock:
            if self._since is not None and self._clock() - self._last >= QUIET_SECONDS:
                _log.warning("kafka is back", seconds=round(self._last - self._since), failures=self._count)
                self._since, self._count = None, 0


outage = Outage(monotonic)
"""That of this process: all of its clients speak to one cluster."""


def _log_error(error: KafkaError) -> None:
    if error.code() in AWAY:
        outage.failed(error.str())
    else:
        _log.warning("kafka", error=error.str())


def _worth_a_line(line: logging.LogRecord) -> bool:
    """Not: each failed connection (FAIL), again what `error_cb` is told (ERROR), and the wait of a new cluster."""
    text = line.getMessage()
    if text.startswith("GETPID [") and text.endswith("retrying"):
        return False
    if text.startswith(("FAIL [", "ERROR [")) and any(word in text for word in _AWAY_WORDS):
        outage.failed(text.partition("]: ")[2] or text)
        return False
    return True


_librdkafka = logging.getLogger("homeostat.librdkafka")
_librdkafka.addFilter(_worth_a_line)
