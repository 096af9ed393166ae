"""The bus: one interface, three implementations (librdkafka, kafka-python, memory), one test suite."""

from shared.bus.factory import connect

__all__ = ["connect"]
