"""A remediator driven by hand: what it is told goes in as batches, what it orders is kept to look at."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any, Literal

import msgspec

from services.remediator.core.incidents import Incident
from services.remediator.core.limits import Limits
from services.remediator.service import Remediator
from services.remediator.settings import DEFAULT_POLICIES_FILE, RemediatorSettings
from shared.messages import (
    Alert,
    AlertKind,
    Artifact,
    AuditEntry,
    Cause,
    Command,
    CommandResult,
    CommandState,
    Evidence,
    Lineage,
    Metrics,
    ModelPublished,
    PipelineDefined,
    Request,
    Severity,
    Stage,
    Window,
)
from shared.pipeline.load_policies import load_policies
from shared.service import Batch, Step

START = datetime(2026, 1, 1, tzinfo=UTC)
PIPELINE = "prices"
SPECIFICATION: dict[str, Any] = {
    "name": PIPELINE,
    "kind": "binary",
    "schema": {
        "day": {"type": "number"},
        "demand": {"type": "number"},
        "price": {"type": "number"},
        "transfer": {"type": "number"},
        "up": {"type": "boolean"},
    },
    "target": "up",
    "features": {"day": "day", "ratio": "demand / price", "transfer": "transfer"},
}
DEFAULTS = load_policies(DEFAULT_POLICIES_FILE)


class Desk:
    """One remediator and its mail. With `restarts`, it is saved and built anew before every message.

    Only with `upkeep` it has the default policies that no alert sets off.
    """

    def __init__(
        self,
        *,
        limits: Limits | None = None,
        policies: list[dict[str, Any]] | None = None,
        restarts: bool = False,
        upkeep: bool = False,
    ) -> None:
        defaults = tuple(policy for policy in DEFAULTS if upkeep or policy.when.every is None)
        self.settings = RemediatorSettings(policies=defaults, limits=limits or Limits())
        self.remediator = Remediator(self.settings)
        self.now = START
        self.restarts = restarts
        self.commands: list[Command] = []
        self.audit: list[AuditEntry] = []
        self.offsets: Counter[str] = Counter()
        self.rows = 0
        self.windows = 0
        self.define({**SPECIFICATION, "policies": policies or []})

    def give(self, topic: str, message: msgspec.Struct) -> None:
        handler = getattr(self.remediator, "on_" + topic.replace("-", "_"))
        offset = self.offsets[topic]
        self.offsets[topic] += 1
        if self.restarts:
            self.restart()
            handler = getattr(self.remediator, "on_" + topic.replace("-", "_"))
        self._keep(handler(Batch(topic, 0, [offset], [message]), self.now))

    def restart(self) -> None:
        state = self.remediator.save()
        self.remediator = Remediator(self.settings)
        self.remediator.restore(state)

    def wait(self, seconds: float = 1.0) -> None:
        """Lets time pass, then ticks once."""
        self.now += timedelta(seconds=seconds)
        if self.restarts:
            self.restart()
        self._keep(self.remediator.on_tick(self.now))

    def define(self, specification: Mapping[str, Any], pipeline: str = PIPELINE) -> None:
        message = PipelineDefined(
            pipeline=pipeline, version=1, digest="d", specification=dict(specification), at=self.now, issued_by="ann"
        )
        self.give("pipelines", message)

    def model(self, version: str, stage: Stage = "champion", *, command: str | None = None) -> None:
        artifact = Artifact(uri=f"file:{version}", sha256=version * 4, format="skops", size=1, signature="")
        lineage = Lineage(
            features_ranges={"0": (0, self.rows + 1)}, labels_ranges={}, data_hash="", rows=0, specification_version=1,
            specification_digest="d", code_revision="", seed=0, libraries={},
        )  # fmt: skip
        message = ModelPublished(
            pipeline=PIPELINE, version=version, stage=stage, artifact=artifact, features=("day",), definition="",
            kind="binary", lineage=lineage, command=command,
        )  # fmt: skip
        self.give("model-published", message)

    def pass_rows(
        self, accuracy: float | None, *, version: str = "1", rows: int = 250, beside: Mapping[str, float] | None = None
    ) -> None:
        """One performance window of `rows` labelled rows; `beside` gives the accuracy of other versions."""
        first = self.rows
        self.rows += rows
        values = {} if accuracy is None else {"accuracy": accuracy}
        by_version = {version: {**values, "rows": float(rows)}}
        by_version |= {other: {"accuracy": value, "rows": float(rows)} for other, value in (beside or {}).items()}
        message = Metrics(
            pipeline=PIPELINE, family="performance", at=self.now, values=values, by_version=by_version,
            window=Window(index=self.windows, first_row=first, last_row=self.rows - 1, rows=rows),
            rows_seen=self.rows, labelled_seen=self.rows, model_version=version,
        )  # fmt: skip
        self.windows += 1
        self.now += timedelta(seconds=5)
        self.give("metrics", message)

    def alert(
        self,
        kind: AlertKind,
        *causes: tuple[str, str],
        severity: Severity = "warning",
        state: Literal["firing", "resolved"] = "firing",
        statistic: str = "accuracy",
        value: float = 0.6,
        baseline: float | None = 0.9,
        since_row: int | None = None,
        firing: int = 1,
        pipeline: str = PIPELINE,
        place: str = "",
        version: str = "",
    ) -> Alert:
        place = place or ":".join(causes[0] if causes else ("none", ""))
        since_row = max(0, self.rows - 250) if since_row is None else since_row
        change = Window(
            index=0, first_row=since_row, last_row=max(since_row, self.rows), rows=1, positions={"0": since_row, "1": 7}
        )
        alert = Alert(
            id=f"alert-{kind}-{place}-{firing}", fingerprint=f"{kind}-{place}", pipeline=pipeline, kind=kind,
            severity=severity, state=state, since=self.now, at=self.now, summary=f"{kind} at {place}",
            model_version=version,
            evidence=Evidence(
                statistic=statistic, value=value, threshold=0.87, window=change, samples=250, baseline=baseline,
                change=change,
            ),
            causes=tuple(Cause(kind=k, what=w, score=1.0) for k, w in causes),  # type: ignore[arg-type]
        )  # fmt: skip
        self.give("alerts", alert)
        return alert

    def again(self, alert: Alert, **changes: Any) -> Alert:
        """The same alert published again, with these fields changed."""
        alert = msgspec.structs.replace(alert, at=self.now, **changes)
        self.give("alerts", alert)
        return alert

    def resolve(self, alert: Alert) -> None:
        self.again(alert, state="resolved")

    def answer(
        self, command: Command, state: CommandState = "succeeded", *, version: str | None = None, detail: str = ""
    ) -> None:
        message = CommandResult(
            command=command.id, pipeline=command.pipeline, state=state, at=self.now, service="trainer", detail=detail,
            model_version=version, cost_seconds=2.0,
        )  # fmt: skip
        self.give("command-results", message)

    def retrained(self, command: Command, version: str) -> None:
        """The trainer did what `command` asked: a new champion, and its answer."""
        self.model(version, command=command.id)
        self.answer(command, version=version)

    def ask(
        self, action: str, *, by: str = "ann", number: int = 1, incident: str | None = None, **arguments: object
    ) -> None:
        message = Request(
            id=f"request-{action}-{number}", pipeline=PIPELINE, action=action, issued_by=by, at=self.now,
            arguments=arguments, incident=incident,
        )  # fmt: skip
        self.give("requests", message)

    def steady(self, windows: int = 4, accuracy: float = 0.9, version: str = "1") -> None:
        """A healthy start: version 1 answers, and answers well."""
        if version not in self.actions_published:
            self.model(version)
        for _ in range(windows):
            self.pass_rows(accuracy, version=version)

    @property
    def actions_published(self) -> list[str]:
        return [str(e.body["version"]) for e in self.audit if e.kind == "model_published"]

    @property
    def incidents(self) -> list[Incident]:
        return list(self.remediator._state.incidents.values())

    @property
    def incident(self) -> Incident:
        """The only incident there is."""
        assert len(self.incidents) == 1, [i.id for i in self.incidents]
        return self.incidents[0]

    @property
    def state(self) -> str:
        """Where the only incident stands."""
        return self.incident.state

    @property
    def actions(self) -> list[str]:
        """The actions ordered so far, messages to people left out."""
        return [command.action for command in self.commands if command.action != "notify"]

    @property
    def told(self) -> list[str]:
        return [str(command.arguments["message"]) for command in self.commands if command.action == "notify"]

    @property
    def last(self) -> Command:
        return [command for command in self.commands if command.action != "notify"][-1]

    def kinds(self) -> list[str]:
        return [entry.kind for entry in self.audit]

    def _keep(self, step: Step) -> None:
        assert not step.jobs
        for out in step.messages:
            if isinstance(out.message, Command):
                self.commands.append(out.message)
            elif isinstance(out.message, AuditEntry):
                self.audit.append(out.message)
