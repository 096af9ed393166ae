"""Ingest and predictor as a predict sees them: one answer per id, the same again dropped, another row refused."""

from __future__ import annotations

import threading
from collections.abc import Collection

import msgspec

from shared.bus.base import Position, Record
from shared.messages import DeadLetter, Features, RawRecord
from shared.topics import DEAD_LETTERS, FEATURES, PREDICTIONS, RAW_DATA
from tests.services.gateway.messages import START, prediction
from tests.services.gateway.running import PREFIX, Running

ELSEWHERE = Position("features", 0, 10**6)


class Answering:
    """Answers every event on the log in a thread, until closed.

    `features` False: they are not on the log. Of `forgotten` ids nothing is there any more but that they were taken.
    """

    def __init__(self, gateway: Running, *, features: bool = True, forgotten: Collection[str] = ()) -> None:
        self._gateway = gateway
        self._features = features
        self._forgotten = forgotten
        self._seen: dict[str, dict[str, object]] = {}
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)

    def __enter__(self) -> Answering:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        self._thread.join(5)

    def _run(self) -> None:
        reader = self._gateway.bus.reader("answering")
        topic = PREFIX + RAW_DATA.name
        reader.follow({(topic, p): 0 for p in reader.begin_offsets(topic)})
        while not self._stop.is_set():
            for record in reader.poll(100, 0.05):
                event = msgspec.json.decode(record.value, type=RawRecord)
                known = self._seen.setdefault(event.id, event.values)
                if known is event.values and event.id not in self._forgotten:
                    self._answer(event, record)
                elif known != event.values:
                    self._refuse(event, record)

    def _answer(self, event: RawRecord, record: Record) -> None:
        features = Features(
            pipeline=event.pipeline,
            id=event.id,
            entity=event.entity,
            source=event.source,
            at=START,
            values={},
            raw=event.values,  # type: ignore[arg-type]
            origin=(record.partition, record.offset),
            definition="abc",
        )
        (at,) = self._gateway.write_only(FEATURES, features) if self._features else (ELSEWHERE,)
        told = prediction(event.id, event.values["nswprice"], origin=(at.partition, at.offset))
        self._gateway.put(PREDICTIONS, told)

    def _refuse(self, event: RawRecord, record: Record) -> None:
        letter = DeadLetter(
            topic=RAW_DATA.name,
            partition=record.partition,
            offset=record.offset,
            reason="id-conflict",
            detail="another row has this id",
            value=record.value,
            pipeline=event.pipeline,
            id=event.id,
        )
        self._gateway.put(DEAD_LETTERS, letter)
