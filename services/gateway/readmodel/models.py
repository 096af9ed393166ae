"""Versions of models, and which one was live when, and why."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from services.gateway.readmodel.entry import Entry, in_order, plain
from shared.messages import ModelPublished

EVENTS_KEPT = 5000


@dataclass(slots=True)
class Version:
    """One version: how it was first published, and the stage it has now."""

    first: Entry[ModelPublished]
    newest: Entry[ModelPublished]
    stage: str

    @property
    def view(self) -> dict[str, Any]:
        message = self.newest.message
        return {
            "version": message.version,
            "stage": self.stage,
            "at": self.newest.at.isoformat(),
            "created_at": self.first.at.isoformat(),
            "weight": message.weight if self.stage == "canary" else None,
            "estimator": message.lineage.estimator,
            "rows": message.lineage.rows,
            "metrics": self.first.message.metrics | message.metrics,
            "reason": message.reason,
            "previous": message.previous,
            "command": message.command,
            "incident": message.incident,
            **self.newest.place,
        }

    @property
    def full(self) -> dict[str, Any]:
        """Everything that made it, beside the view."""
        message = plain(self.newest.message)
        names = ("pipeline", "kind", "features", "definition", "classes", "artifact", "lineage")
        return self.view | {name: message[name] for name in names}


@dataclass(slots=True)
class _History:
    versions: dict[str, Version] = field(default_factory=dict)
    events: list[Entry[ModelPublished]] = field(default_factory=list)
    answers: Entry[ModelPublished] | None = None
    """The publication that made the champion: remembered however many came after it."""

    @property
    def champion(self) -> str | None:
        return None if self.answers is None else self.answers.message.version


class ModelBook:
    """Publications per pipeline, the newest `kept` of each, and the version that answers, however old."""

    def __init__(self, kept: int = EVENTS_KEPT) -> None:
        self._kept = kept
        self._pipelines: dict[str, _History] = {}

    def on_model_published(self, entries: Sequence[Entry[ModelPublished]]) -> None:
        for entry in entries:
            history = self._fold(entry)
            while len(history.events) > self._kept:
                self._forget(history, history.events.pop(0))

    def take_over(self, entry: Entry[ModelPublished]) -> None:
        """One of what `held` gave. Older ones than are kept go with the next publication: now they tell of versions."""
        self._fold(entry)

    def _fold(self, entry: Entry[ModelPublished]) -> _History:
        message = entry.message
        history = self._pipelines.setdefault(message.pipeline, _History())
        known = history.versions.get(message.version)
        history.versions[message.version] = Version(known.first if known else entry, entry, message.stage)
        if message.stage == "champion":
            if history.champion not in (None, message.version):
                history.versions[str(history.champion)].stage = "retired"
            history.answers = entry
        history.events.append(entry)
        return history

    @staticmethod
    def _forget(history: _History, entry: Entry[ModelPublished]) -> None:
        """A version goes with its last publication, unless it answers now."""
        version = entry.message.version
        if history.versions[version].newest is entry and version != history.champion:
            del history.versions[version]

    def held(self) -> list[Entry[ModelPublished]]:
        """All publications that are remembered, those that first told of a version too."""
        found: list[Entry[ModelPublished]] = []
        for history in self._pipelines.values():
            found += [*history.events, *([history.answers] if history.answers else [])]
            found += [entry for version in history.versions.values() for entry in (version.first, version.newest)]
        return in_order(found)

    def versions(self, pipeline: str) -> list[Version]:
        """Newest publication first."""
        history = self._pipelines.get(pipeline)
        found = [] if history is None else list(history.versions.values())
        return sorted(found, key=lambda version: version.newest.offset, reverse=True)

    def version(self, pipeline: str, version: str) -> Version | None:
        history = self._pipelines.get(pipeline)
        return None if history is None else history.versions.get(version)

    def events(self, pipeline: str) -> list[Entry[ModelPublished]]:
        """Every publication, oldest first."""
        history = self._pipelines.get(pipeline)
        return [] if history is None else history.events[-self._kept :]

    def live(self, pipeline: str, at: datetime | None = None) -> dict[str, Any] | None:
        """The champion at a time (default: now) and why; None where no version was live then."""
        entry = self._champion(pipeline, at)
        if entry is None:
            return None
        message = entry.message
        return {
            "version": message.version,
            "at": entry.at.isoformat(),
            "reason": message.reason,
            "previous": message.previous,
            "command": message.command,
            "incident": message.incident,
            "estimator": message.lineage.estimator,
            "metrics": message.metrics,
            "canaries": self._canaries(pipeline) if at is None else [],
            **entry.place,
        }

    def _champion(self, pipeline: str, at: datetime | None) -> Entry[ModelPublished] | None:
        history = self._pipelines.get(pipeline)
        answers = None if history is None else history.answers
        if answers is None or at is None or answers.at <= at:
            return answers
        before = (e for e in reversed(self.events(pipeline)) if e.message.stage == "champion" and e.at <= at)
        return next(before, None)

    def _canaries(self, pipeline: str) -> list[dict[str, Any]]:
        return [
            {"version": v.newest.message.version, "weight": v.newest.message.weight}
            for v in self.versions(pipeline)
            if v.stage == "canary"
        ]

    def of_incident(self, incident: str) -> list[Entry[ModelPublished]]:
        return [e for name in self._pipelines for e in self.events(name) if e.message.incident == incident]
