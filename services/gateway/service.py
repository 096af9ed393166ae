"""The read models together: one handler per topic the gateway reads, as every service has."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from services.gateway.readmodel.alerts import AlertBook
from services.gateway.readmodel.dead_letters import DeadLetterBook
from services.gateway.readmodel.entry import Entry
from services.gateway.readmodel.health import HealthBook
from services.gateway.readmodel.incidents import IncidentBook
from services.gateway.readmodel.ledger import LedgerBook
from services.gateway.readmodel.metrics import MetricBook
from services.gateway.readmodel.models import ModelBook
from services.gateway.readmodel.orders import CommandBook
from services.gateway.readmodel.pipelines import PipelineBook
from services.gateway.readmodel.predictions import PredictionBook
from shared.messages import AuditEntry, PipelineDefined
from shared.topics import BY_NAME

SECTIONS = {
    "model-published": "model-published",
    "alerts": "alerts",
    "commands": "commands",
    "command-results": "command-results",
    "ledger": "audit",
    "incidents": "audit",
    "metrics": "metrics",
}
"""What is kept across a start, and the topic it is made of. All others are folded from their newest records."""


@dataclass(frozen=True, slots=True)
class Held:
    """What views hold of the log, by section, in log order; `index` is the ledger's."""

    entries: dict[str, list[Entry[Any]]]
    index: list[tuple[int, int]]


class ReadModels:
    """Everything that GET answers from. It can be rebuilt from the log at any time."""

    def __init__(self) -> None:
        self.pipelines = PipelineBook()
        self.models = ModelBook()
        self.metrics = MetricBook()
        self.alerts = AlertBook()
        self.commands = CommandBook()
        self.incidents = IncidentBook(self.alerts, self.commands, self.models, self.pipelines)
        self.ledger = LedgerBook()
        self.dead_letters = DeadLetterBook()
        self.predictions = PredictionBook()
        self.health = HealthBook()
        self.on_model_published = self.models.on_model_published
        self.on_metrics = self.metrics.on_metrics
        self.on_alerts = self.alerts.on_alerts
        self.on_commands = self.commands.on_commands
        self.on_command_results = self.commands.on_command_results
        self.on_dead_letters = self.dead_letters.on_dead_letters
        self.on_predictions = self.predictions.on_predictions
        self.on_telemetry = self.health.on_telemetry

    def on_pipelines(self, entries: Sequence[Entry[PipelineDefined]]) -> None:
        self.pipelines.on_pipelines(entries)
        for entry in entries:
            if entry.message.removed:
                self.predictions.forget(entry.message.pipeline, entry.at)
                self.metrics.forget(entry.message.pipeline, entry.at)

    def on_audit(self, entries: Sequence[Entry[AuditEntry]]) -> None:
        self.ledger.on_audit(entries)
        self.incidents.on_audit(entries)

    def held(self) -> Held:
        """What it takes to make the kept views again as they are: folded in this order, they are the same."""
        entries: dict[str, list[Entry[Any]]] = {
            "model-published": self.models.held(),
            "alerts": self.alerts.held(),
            "commands": self.commands.held(),
            "command-results": self.commands.results_held(),
            "ledger": self.ledger.held(),
            "incidents": self.incidents.held(),
            "metrics": self.metrics.held(),
        }
        return Held(entries, list(self.ledger.index))

    def take_over(self, section: str, entry: Entry[Any]) -> None:
        """One of what `held` gave, in its order."""
        match section:
            case "model-published":
                self.models.take_over(entry)
            case "ledger":
                self.ledger.on_audit([entry])
            case "incidents":
                self.incidents.on_audit([entry])
            case _:
                self.fold(SECTIONS[section], [entry])

    def fold(self, topic: str, entries: Sequence[Entry[Any]]) -> None:
        """Hands entries of one topic, in log order, to its handler."""
        getattr(self, BY_NAME[topic].handler)(entries)
