"""Bytewax's batch mode as documented: Kafka in, batches mapped, Kafka out."""

from __future__ import annotations

from collections.abc import Iterator

import bytewax.operators as op
import msgspec
from bytewax.connectors.kafka import KafkaSinkMessage, KafkaSourceMessage
from bytewax.connectors.kafka import operators as kop
from bytewax.dataflow import Dataflow
from bytewax.run import cli_main

from benchmarks.peers.told import Told, told


def main() -> None:
    cli_main(_flow(told(__doc__)))


def _flow(given: Told) -> Dataflow:
    def answers(messages: list[KafkaSourceMessage]) -> Iterator[KafkaSinkMessage]:
        for answer in given.many([msgspec.json.decode(message.value) for message in messages]):
            yield KafkaSinkMessage(answer["id"].encode(), msgspec.json.encode(answer))

    flow = Dataflow("bench")
    source = kop.input("events", flow, brokers=[given.bootstrap], topics=[given.source], batch_size=1000)
    answered = op.flat_map_batch("predict", source.oks, answers)
    kop.output("answers", answered, brokers=[given.bootstrap], topic=given.target)
    return flow


if __name__ == "__main__":
    main()
