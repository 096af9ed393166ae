"""One pipeline's rows: checked, told from repetitions, and turned into features and labels."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime

import msgspec

from services.ingest.core.duplicates import Seen
from services.ingest.core.features import FeaturePlan
from services.ingest.core.quarantine import Quarantine
from services.ingest.core.tails import Tails
from shared.messages import Features, Label, RawRecord, Value
from shared.pipeline.contract import Contract, Row
from shared.pipeline.problems import Problem
from shared.pipeline.specification import Specification

Origin = tuple[int, int]
Outcome = Features | Label | Problem


class Arrival(msgspec.Struct, frozen=True, gc=False):
    """A raw record and where it stands on `raw-data`."""

    record: RawRecord
    origin: Origin


@dataclass(slots=True)
class Counts:
    """What was dropped without a dead letter, since the pipeline was first seen by this task."""

    repeated: int = 0
    extra_fields: int = 0


@dataclass(slots=True)
class Intake:
    """A pipeline as ingest works it: its specification compiled, and what it remembers of its rows."""

    specification: Specification
    version: int
    contract: Contract
    plan: FeaturePlan
    tails: Tails
    seen: Seen
    quarantine: Quarantine = field(default_factory=Quarantine)
    counts: Counts = field(default_factory=Counts)

    def take(self, arrivals: Sequence[Arrival], now: datetime) -> list[list[Outcome]]:
        """What becomes of each arrival, in order: features, a label, both, nothing (a repetition) or a problem."""
        outcomes: list[list[Outcome]] = [[] for _ in arrivals]
        good: list[tuple[int, Row, tuple[str, ...]]] = []
        for index, arrival in enumerate(arrivals):
            record = arrival.record
            if record.kind == "label":
                outcomes[index].append(self._label(arrival, record.label, "is missing: a label record needs `label`"))
                continue
            withheld = self.quarantine.withheld(record.source)
            row = self._row(record, withheld)
            if isinstance(row, Problem):
                outcomes[index].append(row)
                continue
            if row is not None:
                good.append((index, row, withheld))
            if record.values.get(self.specification.target or "") is not None:
                label = record.values[str(self.specification.target)]
                outcomes[index].append(self._label(arrival, label, ""))
        for (index, _, _), features in zip(good, self._features(arrivals, good, now), strict=True):
            outcomes[index].insert(0, features)
        return outcomes

    def _row(self, record: RawRecord, withheld: tuple[str, ...]) -> Row | Problem | None:
        """The checked row; None for a repetition."""
        if not record.id:
            return Problem("id", "missing", "is empty: every event needs an id")
        row = self.contract.check_row(record.values, withheld)
        if isinstance(row, Problem):
            return row
        content = dict(record.values)
        content.pop(self.specification.target or "", None)
        if self.specification.id in content:
            content[self.specification.id] = row.values[self.specification.id]
        match self.seen.verdict(record.id, content):
            case "conflict":
                detail = f"the id `{record.id}` already stands for a row with other values or columns"
                return Problem(self.specification.id or "id", "id-conflict", detail)
            case "repeated":
                self.counts.repeated += 1
                return None
        self.counts.extra_fields += row.extra
        return row

    def _label(self, arrival: Arrival, label: object, if_missing: str) -> Label | Problem:
        record = arrival.record
        value = self.contract.check_label(label)
        if isinstance(value, Problem):
            return value
        if value is None:
            return Problem(self.specification.target or "label", "missing", if_missing)
        if not record.id:
            return Problem("id", "missing", "is empty: a label says by its id which event it is the truth of")
        return Label(
            pipeline=record.pipeline,
            id=record.id,
            label=value,
            source=record.source,
            at=record.at,
            origin=arrival.origin,
        )

    def _features(
        self, arrivals: Sequence[Arrival], good: Sequence[tuple[int, Row, tuple[str, ...]]], now: datetime
    ) -> list[Features]:
        if not good:
            return []
        entities = [self._entity(arrivals[index].record) for index, _, _ in good]
        inputs = [{**row.values, **dict.fromkeys(withheld)} if withheld else row.values for _, row, withheld in good]
        computed = self.plan.compute(inputs, entities, self.tails)
        return [
            self._message(arrivals[index], row, withheld, entity, values, now)
            for (index, row, withheld), entity, values in zip(good, entities, computed, strict=True)
        ]

    def _entity(self, record: RawRecord) -> str:
        key = record.values.get(self.specification.key or "")
        return str(key) if key is not None else record.entity or record.id

    def _message(
        self,
        arrival: Arrival,
        row: Row,
        withheld: tuple[str, ...],
        entity: str,
        values: dict[str, Value],
        now: datetime,
    ) -> Features:
        record = arrival.record
        return Features(
            pipeline=record.pipeline,
            id=record.id,
            entity=entity,
            source=record.source,
            at=row.at or record.at or record.received_at or now,
            values=values,
            raw=row.values,
            origin=arrival.origin,
            definition=self.specification.definition,
            withheld=withheld,
            received_at=record.received_at,
        )
