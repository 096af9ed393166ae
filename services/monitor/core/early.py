"""Records that came before the specification of their pipeline.

They travel on other topics, so the order in which they are read is nobody's promise. They wait, in
the order read; what nobody defined in time is let go, as the records of a removed pipeline are.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import datetime, timedelta
from itertools import groupby
from typing import Any, Final, Literal

import msgspec

from shared.messages import Features, Label, Prediction

Kind = Literal["features", "predictions", "labels"]

MOST_RECORDS: Final = 50_000
PATIENCE: Final = timedelta(seconds=60)

_TYPES: Final[dict[str, Any]] = {"features": Features, "predictions": Prediction, "labels": Label}


class EarlyRecord(msgspec.Struct, frozen=True):
    """One record, with its place in the log. `value` is its JSON."""

    pipeline: str
    kind: Kind
    partition: int
    offset: int
    value: bytes
    since: datetime


class Run(msgspec.Struct, frozen=True):
    """Records of one kind and partition that followed each other."""

    kind: Kind
    partition: int
    offsets: list[int]
    messages: list[Any]


class Early(msgspec.Struct):
    """At most `MOST_RECORDS` records, each for at most `PATIENCE`."""

    records: list[EarlyRecord] = []

    def keep(
        self, pipeline: str, kind: Kind, partition: int, offsets: Sequence[int], messages: Sequence[Any], now: datetime
    ) -> None:
        """Lets these wait; what there is no room for is left out."""
        room = MOST_RECORDS - len(self.records)
        for offset, message in list(zip(offsets, messages, strict=True))[:room]:
            self.records.append(EarlyRecord(pipeline, kind, partition, offset, msgspec.json.encode(message), now))

    def of(self, pipeline: str) -> Iterator[Run]:
        """The pipeline is known now: its records in the order read. They wait no more."""
        mine = [record for record in self.records if record.pipeline == pipeline]
        self.records = [record for record in self.records if record.pipeline != pipeline]
        for (kind, partition), run in groupby(mine, key=lambda record: (record.kind, record.partition)):
            records = list(run)
            messages = [msgspec.json.decode(record.value, type=_TYPES[kind]) for record in records]
            yield Run(kind, partition, [record.offset for record in records], messages)

    def let_go(self, now: datetime) -> None:
        """Forgets what has waited in vain."""
        if self.records and now - self.records[0].since > PATIENCE:
            self.records = [record for record in self.records if now - record.since <= PATIENCE]
