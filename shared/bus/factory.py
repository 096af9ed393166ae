"""Chooses the client: the faster one that is installed, or the one that the settings name."""

from __future__ import annotations

from importlib.util import find_spec

from shared.bus.base import MAX_RECORD_BYTES, Bus
from shared.errors import Misconfigured
from shared.settings import CommonSettings
from shared.topics import DEAD_LETTERS

LARGEST_DEAD_LETTER = 2 * MAX_RECORD_BYTES
"""A dead letter holds the refused record whole, in base64: its topic takes larger records."""


def record_limits(settings: CommonSettings) -> dict[str, int]:
    """The largest record of each topic that takes larger ones than the rest, by its full name."""
    return {settings.full_name(DEAD_LETTERS.name): LARGEST_DEAD_LETTER}


def connect(settings: CommonSettings) -> Bus:
    """The bus that `settings.kafka_client` names. Connects when it is first used."""
    client = settings.kafka_client
    if client == "auto":
        client = "confluent" if find_spec("confluent_kafka") is not None else "kafka-python"
    limits = record_limits(settings)
    if client == "confluent":
        from shared.bus.librdkafka import LibrdkafkaBus

        return LibrdkafkaBus(settings.bootstrap_servers, session_timeout_ms=settings.session_timeout_ms, limits=limits)
    if client == "kafka-python":
        from shared.bus.kafka_python import KafkaPythonBus

        return KafkaPythonBus(settings.bootstrap_servers, session_timeout_ms=settings.session_timeout_ms, limits=limits)
    raise Misconfigured(f"HOMEOSTAT_KAFKA_CLIENT={client!r}: give auto, confluent or kafka-python")
