"""The loop that an engineer would write by hand around the same model: what `streaming` measures us against.

librdkafka tuned as ours is, the batch decoded by msgspec into numbers alone, one vectorised answer, bare
answers out. At least once: a flush, then a commit, once a second. No schema check beyond the types, no
state, metrics, versions or restarts. Run by `benchmarks.streaming` as a process of its own.
"""

from __future__ import annotations

import signal
from typing import Any

import msgspec
import numpy as np
from confluent_kafka import Consumer, Producer

from benchmarks.peers.told import told
from shared.clock import monotonic

BATCH = 1_000
COMMIT_SECONDS = 1.0


class Answer(msgspec.Struct):
    """What goes out."""

    id: str
    prediction: int
    score: float


def main() -> int:
    given = told(__doc__)
    stopped: list[int] = []
    signal.signal(signal.SIGTERM, lambda number, _: stopped.append(number))
    decoder = msgspec.json.Decoder(list[_event_of(given.features)])  # type: ignore[misc]
    _loop(given.bootstrap, given.source, given.target, decoder, given.probabilities, stopped)
    return 0


def _loop(bootstrap: str, source: str, target: str, decoder: Any, probabilities: Any, stopped: list[int]) -> None:
    consumer = Consumer(
        {
            "bootstrap.servers": bootstrap,
            "group.id": f"hand-written.{target}",
            "auto.offset.reset": "earliest",
            "enable.auto.commit": False,
            "fetch.queue.backoff.ms": 2,
        }
    )
    producer = Producer({"bootstrap.servers": bootstrap, "acks": "all", "linger.ms": 1})
    consumer.subscribe([source])
    encoder = msgspec.json.Encoder()
    committed, owed = monotonic(), False
    while not stopped:
        taken = consumer.consume(1, 0.05)  # whatever is there by then comes along, and nothing is waited for
        messages = [each for each in taken + consumer.consume(BATCH - 1, 0) if each.error() is None] if taken else []
        if messages:
            events = decoder.decode(b"[" + b",".join([each.value() or b"null" for each in messages]) + b"]")
            table = np.array([msgspec.structs.astuple(each.values) for each in events], dtype=np.float64)
            for event, score in zip(events, probabilities(table)[:, -1].tolist(), strict=True):
                producer.produce(target, encoder.encode(Answer(event.id, int(score > 0.5), score)), event.id)
            producer.poll(0)
            owed = True
        if owed and monotonic() - committed >= COMMIT_SECONDS:
            producer.flush()
            consumer.commit(asynchronous=False)
            committed, owed = monotonic(), False
    producer.flush()
    if owed:
        consumer.commit(asynchronous=False)
    consumer.close()


def _event_of(features: tuple[str, ...]) -> type[msgspec.Struct]:
    """Of an event its id and its numbers, and nothing else that stands in it."""
    values = msgspec.defstruct("Values", [(name, float | None) for name in features])
    return msgspec.defstruct("Event", [("id", str), ("values", values)])


if __name__ == "__main__":
    raise SystemExit(main())
