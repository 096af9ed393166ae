"""The bus on kafka-python: pure Python, for machines without librdkafka. Needs `crc32c` to be fast."""

from shared.bus.kafka_python.bus import KafkaPythonBus

__all__ = ["KafkaPythonBus"]
