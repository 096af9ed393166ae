"""FastStream's batch mode as documented: a subscriber to lists of events, answers published as a batch.

One setting is not its default: at 16 KiB a batch its publisher loses answers that do not fit, and says so in a log.
"""

from __future__ import annotations

import asyncio

from faststream import FastStream
from faststream.kafka import KafkaBroker
from pydantic import BaseModel

from benchmarks.peers.told import told

BATCH_BYTES = 1 << 20


class Event(BaseModel):
    """What the model needs of an event."""

    id: str
    values: dict[str, float]


def main() -> None:
    given = told(__doc__)
    broker = KafkaBroker(given.bootstrap, max_batch_size=BATCH_BYTES)
    publisher = broker.publisher(given.target, batch=True)

    @broker.subscriber(given.source, batch=True, max_records=1000, group_id=given.group, auto_offset_reset="earliest")
    async def answer(events: list[Event]) -> None:
        await publisher.publish(*given.many([event.model_dump() for event in events]))

    asyncio.run(FastStream(broker).run())


if __name__ == "__main__":
    main()
