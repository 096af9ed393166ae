"""The bus on librdkafka (confluent-kafka), the faster of the two clients."""

from shared.bus.librdkafka.bus import LibrdkafkaBus

__all__ = ["LibrdkafkaBus"]
