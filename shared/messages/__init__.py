"""Every message that crosses a topic, declared once as msgspec structs.

Facts are past tense or nouns (`Prediction`, `ModelPublished`), orders are imperatives carried by
`Command`. `shared/topics.py` says which message travels on which topic. Times are aware UTC
datetimes, RFC 3339 on the wire. Fields may be added with a default, never removed or retyped.
"""

from shared.messages.control import (
    ActionName,
    Alert,
    AlertKind,
    AlertState,
    AuditEntry,
    Cause,
    Command,
    CommandResult,
    CommandState,
    Evidence,
    Expectation,
    Heartbeat,
    LogPosition,
    Metrics,
    PipelineDefined,
    Request,
    Severity,
    Window,
)
from shared.messages.data import (
    DeadLetter,
    FeatureRow,
    Features,
    Inference,
    Label,
    Prediction,
    RawRecord,
    ShadowAnswer,
    Value,
)
from shared.messages.journal import JobFinished, StepTaken
from shared.messages.models import Artifact, Lineage, ModelPublished, Stage

__all__ = [
    "ActionName",
    "Alert",
    "AlertKind",
    "AlertState",
    "Artifact",
    "AuditEntry",
    "Cause",
    "Command",
    "CommandResult",
    "CommandState",
    "DeadLetter",
    "Evidence",
    "Expectation",
    "FeatureRow",
    "Features",
    "Heartbeat",
    "Inference",
    "JobFinished",
    "Label",
    "Lineage",
    "LogPosition",
    "Metrics",
    "ModelPublished",
    "PipelineDefined",
    "Prediction",
    "RawRecord",
    "Request",
    "Severity",
    "ShadowAnswer",
    "Stage",
    "StepTaken",
    "Value",
    "Window",
]
