"""The topic table: every topic with its message, key, writers and readers. It is the architecture.

Diagrams, the AsyncAPI page and the routing of the runtime are made from it; a test holds the
services' handlers against it. Everything else refers to these constants, never to a topic's name.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Generic, TypeVar

import msgspec

from shared import messages as m

M = TypeVar("M", bound=msgspec.Struct)


@dataclass(frozen=True, slots=True)
class Topic(Generic[M]):
    """One topic.

    `spread`: partitioned by entity over `DATA_PARTITIONS`; otherwise one partition, total order.
    `compacted`: only the newest record per key is sure to stay. `retention_hours` None: for ever.
    `views`: by reader, the part of the message that it needs, where that is much less; the rest it does not decode.
    """

    name: str
    message: type[M]
    key: Callable[[M], str]
    writers: tuple[str, ...]
    readers: tuple[str, ...]
    about: str
    spread: bool = False
    compacted: bool = False
    retention_hours: int | None = 24 * 7
    event_type: str | None = None
    views: Mapping[str, type[msgspec.Struct]] = field(default_factory=dict, hash=False)

    def of(self, message: M, *, trace: str | None = None) -> Out:
        """This message, addressed to this topic."""
        return Out(self, message, trace)

    def read_by(self, service: str) -> type[msgspec.Struct]:
        """What this reader decodes a record into: a struct with the message's fields, or with some of them."""
        return self.views.get(service, self.message)

    @property
    def handler(self) -> str:
        """The name of the method by which a service takes this topic's messages.

        >>> RAW_DATA.handler
        'on_raw_data'
        """
        return "on_" + self.name.replace("-", "_")


class Out(msgspec.Struct, frozen=True, gc=False):
    """A message to publish. `trace` is the W3C traceparent it continues, where there is one."""

    topic: Topic[Any]
    message: msgspec.Struct
    trace: str | None = None


SERVICES = ("ingest", "trainer", "predictor", "monitor", "remediator", "gateway")
"""The six services, by folder name."""

PARTITIONED = ("ingest", "predictor")
"""Services whose work is divided by partition: one task each. The others are one task in all."""

EVERY_SERVICE = SERVICES

RAW_DATA = Topic(
    "raw-data",
    m.RawRecord,
    lambda x: x.entity,
    ("gateway",),
    ("ingest",),
    "events and labels as they came in",
    spread=True,
)
FEATURES = Topic(
    "features",
    m.Features,
    lambda x: x.entity,
    ("ingest",),
    ("predictor", "monitor"),
    "valid events with their features",
    spread=True,
    views={"predictor": m.FeatureRow},
)
PREDICTIONS = Topic(
    "predictions",
    m.Prediction,
    lambda x: x.entity,
    ("predictor",),
    ("monitor", "gateway"),
    "one answer per event",
    spread=True,
)
INFERENCES = Topic(
    "inferences",
    m.Inference,
    lambda x: x.id,
    ("predictor",),
    (),
    "what the inference endpoint was asked, and what it answered: outside the stream",
    spread=True,
)
LABELS = Topic(
    "labels",
    m.Label,
    lambda x: x.id,
    ("ingest",),
    ("monitor",),
    "the truth, as it becomes known",
    spread=True,
)
DEAD_LETTERS = Topic(
    "dead-letters",
    m.DeadLetter,
    lambda x: x.id or "",
    EVERY_SERVICE,
    ("monitor", "gateway"),
    "what was refused, with the reason and the original bytes",
    retention_hours=24 * 14,
)
PIPELINES = Topic(
    "pipelines",
    m.PipelineDefined,
    lambda x: x.pipeline,
    ("gateway",),
    ("ingest", "trainer", "predictor", "monitor", "remediator", "gateway"),
    "the specification of each pipeline",
    compacted=True,
    retention_hours=None,
    event_type="io.homeostat.pipeline.defined",
)
MODEL_PUBLISHED = Topic(
    "model-published",
    m.ModelPublished,
    lambda x: x.pipeline,
    ("trainer",),
    ("predictor", "monitor", "remediator", "gateway"),
    "which version answers, in which role",
    retention_hours=None,
    event_type="io.homeostat.model.published",
)
METRICS = Topic(
    "metrics",
    m.Metrics,
    lambda x: x.pipeline,
    ("monitor",),
    ("trainer", "remediator", "gateway"),
    "statistics by window",
    event_type="io.homeostat.metrics.window",
)
ALERTS = Topic(
    "alerts",
    m.Alert,
    lambda x: x.pipeline,
    ("monitor",),
    ("remediator", "gateway"),
    "what is wrong",
    retention_hours=None,
    event_type="io.homeostat.alert",
)
REQUESTS = Topic(
    "requests",
    m.Request,
    lambda x: x.pipeline,
    ("gateway",),
    ("remediator",),
    "what people ask for",
    retention_hours=None,
    event_type="io.homeostat.request",
)
COMMANDS = Topic(
    "commands",
    m.Command,
    lambda x: x.pipeline,
    ("remediator",),
    ("ingest", "trainer", "monitor", "gateway", "supervisor"),
    "orders, each with what it is expected to do",
    retention_hours=None,
    event_type="io.homeostat.command",
)
COMMAND_RESULTS = Topic(
    "command-results",
    m.CommandResult,
    lambda x: x.pipeline,
    ("ingest", "trainer", "predictor", "gateway", "supervisor"),
    ("trainer", "remediator", "gateway"),
    "what became of each order",
    retention_hours=None,
    event_type="io.homeostat.command.result",
)
AUDIT = Topic(
    "audit",
    m.AuditEntry,
    lambda _: "ledger",
    ("remediator",),
    ("gateway",),
    "the hash-chained ledger of decisions and outcomes",
    retention_hours=None,
    event_type="io.homeostat.audit.entry",
)
TELEMETRY = Topic(
    "telemetry",
    m.Heartbeat,
    lambda x: x.service,
    (*EVERY_SERVICE, "supervisor"),
    ("monitor", "gateway"),
    "each service's own pulse, by its runtime; that of the servers, by whoever runs them",
    retention_hours=24,
)
STEPS = Topic(
    "steps", m.StepTaken, lambda x: x.task, EVERY_SERVICE, (), "the runtime's journal: which steps a task took"
)
JOB_RESULTS = Topic(
    "job-results", m.JobFinished, lambda x: x.task, EVERY_SERVICE, (), "the runtime's own: how slow work comes back"
)

TOPICS: tuple[Topic[Any], ...] = (
    RAW_DATA,
    FEATURES,
    PREDICTIONS,
    INFERENCES,
    LABELS,
    DEAD_LETTERS,
    PIPELINES,
    MODEL_PUBLISHED,
    METRICS,
    ALERTS,
    REQUESTS,
    COMMANDS,
    COMMAND_RESULTS,
    AUDIT,
    TELEMETRY,
    STEPS,
    JOB_RESULTS,
)

BY_NAME = {topic.name: topic for topic in TOPICS}


def group_of(service: str) -> str:
    """The consumer group of a service, without the installation's prefix."""
    return f"homeostat.{service}"


def topics_read_by(service: str) -> tuple[Topic[Any], ...]:
    """The topics a service has a handler for, in the order of the table."""
    return tuple(topic for topic in TOPICS if service in topic.readers)
