"""Messages as the services write them, with defaults for what a test does not care about."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

from shared.messages import (
    Alert,
    Artifact,
    AuditEntry,
    Cause,
    Command,
    CommandResult,
    Evidence,
    Expectation,
    Heartbeat,
    Lineage,
    LogPosition,
    Metrics,
    ModelPublished,
    PipelineDefined,
    Prediction,
    Window,
)
from shared.pipeline.specification import Specification

START = datetime(2026, 3, 1, 12, 0, tzinfo=UTC)
DOCUMENT: dict[str, Any] = {
    "name": "elec2",
    "kind": "binary",
    "schema": {
        "nswprice": {"type": "number", "range": [0, 10]},
        "vicprice": {"type": "number"},
        "up": {"type": "boolean"},
    },
    "target": "up",
    "about": "Will the price of electricity go up?",
}


def at(seconds: float) -> datetime:
    return START + timedelta(seconds=seconds)


def defined(**changes: Any) -> PipelineDefined:
    spec = Specification.model_validate(DOCUMENT | changes)
    return PipelineDefined(
        pipeline=spec.name,
        version=1,
        digest=spec.digest,
        specification=spec.canonical,
        at=START,
        issued_by="person:tester",
    )


def window(index: int, rows: int = 250) -> Window:
    return Window(
        index=index,
        first_row=index * rows,
        last_row=index * rows + rows - 1,
        rows=rows,
        begins=at(index),
        ends=at(index),
    )


def metrics(index: int, values: dict[str, float], **changes: Any) -> Metrics:
    fields: dict[str, Any] = {
        "pipeline": "elec2",
        "family": "performance",
        "at": at(index),
        "window": window(index),
        "values": values,
        "rows_seen": (index + 1) * 250,
        "labelled_seen": (index + 1) * 250,
    }
    return Metrics(**fields | changes)


def alert(state: str = "firing", **changes: Any) -> Alert:
    fields: dict[str, Any] = {
        "id": "alert-1",
        "fingerprint": "elec2/concept_drift",
        "pipeline": "elec2",
        "kind": "concept_drift",
        "severity": "critical",
        "state": state,
        "since": at(10),
        "at": at(10 if state == "firing" else 90),
        "summary": "Accuracy fell from 0.86 to 0.61 over the last 250 labelled rows.",
        "evidence": Evidence(
            statistic="accuracy", value=0.61, threshold=0.8, window=window(40), samples=250, baseline=0.86, p_value=1e-6
        ),
        "causes": (Cause(kind="model", what="version 1", score=0.9, detail="the rule changed, the inputs did not"),),
    }
    return Alert(**fields | changes)


def audit(sequence: int, kind: str, summary: str, **changes: Any) -> AuditEntry:
    fields: dict[str, Any] = {
        "sequence": sequence,
        "at": at(10 + sequence * 10),
        "kind": kind,
        "pipeline": "elec2",
        "incident": "incident-1",
        "summary": summary,
        "body": {},
        "refs": (),
        "previous": f"hash-{sequence - 1}",
        "hash": f"hash-{sequence}",
    }
    return AuditEntry(**fields | changes)


def refer(topic: str, offset: int, partition: int = 0) -> LogPosition:
    return LogPosition(topic, partition, offset)


def command(**changes: Any) -> Command:
    fields: dict[str, Any] = {
        "id": "command-1",
        "incident": "incident-1",
        "pipeline": "elec2",
        "action": "retrain",
        "arguments": {"since": {"0": 10_000}},
        "reason": "The rule changed: learn from the rows since then",
        "issued_by": "policy:concept@1",
        "at": at(30),
        "deadline": at(930),
        "expects": Expectation(metric="performance.accuracy", direction="up", bound=0.74, rows=500, by=at(4000)),
    }
    return Command(**fields | changes)


def result(state: str = "succeeded", **changes: Any) -> CommandResult:
    fields: dict[str, Any] = {
        "command": "command-1",
        "pipeline": "elec2",
        "state": state,
        "at": at(45),
        "service": "trainer",
        "detail": "version 2 passed the gate: 0.85 against 0.61",
        "model_version": "2",
    }
    return CommandResult(**fields | changes)


def published(version: str = "1", stage: str = "champion", **changes: Any) -> ModelPublished:
    fields: dict[str, Any] = {
        "pipeline": "elec2",
        "version": version,
        "stage": stage,
        "artifact": Artifact(uri="file:///m", sha256="0" * 64, format="skops", size=1000, signature="0" * 64),
        "features": ("nswprice", "vicprice"),
        "definition": "abc",
        "kind": "binary",
        "lineage": Lineage(
            features_ranges={"0": (0, 500)},
            labels_ranges={"0": (0, 500)},
            data_hash="d" * 64,
            rows=500,
            specification_version=1,
            specification_digest="e" * 64,
            code_revision="r1",
            seed=0,
            libraries={"scikit-learn": "1.9"},
            estimator="HistGradientBoosting",
        ),
        "metrics": {"accuracy": 0.86},
        "reason": "the first model",
    }
    return ModelPublished(**fields | changes)


def prediction(event: str, value: Any = True, **changes: Any) -> Prediction:
    fields: dict[str, Any] = {
        "pipeline": "elec2",
        "id": event,
        "entity": event,
        "at": START,
        "prediction": value,
        "model_version": "1",
        "probabilities": {"true": 0.8, "false": 0.2},
        "score": 0.8,
    }
    return Prediction(**fields | changes)


def heartbeat(service: str, when: datetime, **changes: Any) -> Heartbeat:
    fields: dict[str, Any] = {
        "service": service,
        "instance": "0",
        "at": when,
        "started": START,
        "rss_bytes": 100_000_000,
    }
    return Heartbeat(**fields | changes)
