"""One ingest task by hand: what it is told, and what it answers, by topic."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

from services.ingest.service import Ingest
from services.ingest.settings import IngestSettings
from shared.codec import encode
from shared.messages import Command, CommandResult, DeadLetter, Features, Label, PipelineDefined, RawRecord
from shared.pipeline.specification import Specification
from shared.service import Batch, Step
from shared.topics import COMMAND_RESULTS, DEAD_LETTERS, FEATURES, LABELS

NOW = datetime(2026, 1, 1, tzinfo=UTC)
DOCUMENT: dict[str, Any] = {
    "name": "power",
    "kind": "binary",
    "schema": {
        "id": {"type": "string"},
        "at": {"type": "timestamp"},
        "region": {"type": "string"},
        "price": {"type": "number", "range": [0, 100]},
        "demand": {"type": "number", "nullable": True},
        "up": {"type": "integer", "allowed": [0, 1]},
    },
    "id": "id",
    "key": "region",
    "timestamp": "at",
    "target": "up",
    "features": {
        "price": "price",
        "gap": "price - demand",
        "mean": {"expression": "price", "window": 3},
        "before": {"expression": "price", "lag": 1},
    },
}
SPECIFICATION = Specification.model_validate(DOCUMENT)


def defined(document: dict[str, Any] = DOCUMENT, version: int = 1, *, removed: bool = False) -> Batch[PipelineDefined]:
    message = PipelineDefined(
        pipeline=document["name"],
        version=version,
        digest="",
        specification=document,
        at=NOW,
        issued_by="test",
        removed=removed,
    )
    return Batch("pipelines", 0, [version], [message])


def event(number: int, **changes: object) -> RawRecord:
    values = {"region": "NSW", "price": float(number), "demand": 1.0, **changes}
    return RawRecord(pipeline="power", id=f"e-{number}", entity="NSW", source="file", values=values)


def label(number: int, value: object) -> RawRecord:
    return RawRecord(pipeline="power", id=f"e-{number}", entity="NSW", kind="label", label=value)


def batch(records: Sequence[RawRecord], start: int = 0) -> Batch[RawRecord]:
    values = [encode(record) for record in records]
    return Batch(
        "raw-data", 2, range(start, start + len(records)), records, values, [f"t{n}" for n in range(len(records))]
    )


def order(action: Any, number: int = 1, **arguments: object) -> Batch[Command]:
    command = Command(
        id=f"c-{number}",
        incident="i",
        pipeline="power",
        action=action,
        arguments=arguments,
        reason="",
        issued_by="policy:p@1",
        at=NOW,
        deadline=NOW + timedelta(minutes=5),
    )
    return Batch("commands", 0, [number], [command])


def ingest(partition: int = 2, **settings: Any) -> Ingest:
    made = Ingest(partition, IngestSettings(**settings))
    made.on_pipelines(defined(), NOW)
    return made


def messages(step: Step, topic: Any) -> list[Any]:
    return [out.message for out in step.messages if out.topic is topic]


def features(step: Step) -> list[Features]:
    return messages(step, FEATURES)


def letters(step: Step) -> list[DeadLetter]:
    return messages(step, DEAD_LETTERS)


def labels(step: Step) -> list[Label]:
    return messages(step, LABELS)


def results(step: Step) -> list[CommandResult]:
    return messages(step, COMMAND_RESULTS)
