"""The bus: one interface, three implementations (librdkafka, kafka-python, memory), one test suite."""
