"""Commands and what became of them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from services.gateway.readmodel.entry import Entry, plain
from shared.messages import Command, CommandResult

COMMANDS_KEPT = 5000
FINAL = ("succeeded", "failed", "refused", "expired")


class CommandBook:
    """The newest `COMMANDS_KEPT` commands with their results."""

    def __init__(self, kept: int = COMMANDS_KEPT) -> None:
        self._kept = kept
        self._commands: dict[str, Entry[Command]] = {}
        self._results: dict[str, list[Entry[CommandResult]]] = {}

    def on_commands(self, entries: Sequence[Entry[Command]]) -> None:
        for entry in entries:
            self._commands.setdefault(entry.message.id, entry)
        while len(self._commands) > self._kept:
            oldest = next(iter(self._commands))
            del self._commands[oldest]
            self._results.pop(oldest, None)

    def on_command_results(self, entries: Sequence[Entry[CommandResult]]) -> None:
        for entry in entries:
            self._results.setdefault(entry.message.command, []).append(entry)
        while len(self._results) > 2 * self._kept:  # results whose command was never seen
            del self._results[next(iter(self._results))]

    def get(self, command: str) -> Entry[Command] | None:
        return self._commands.get(command)

    def results(self, command: str) -> list[Entry[CommandResult]]:
        return self._results.get(command, [])

    def finished(self, command: str) -> bool:
        """Whether a result says that nothing more will come."""
        return any(entry.message.state in FINAL for entry in self.results(command))

    def all(self) -> list[Entry[Command]]:
        """In the order they were given."""
        return list(self._commands.values())

    def of_incident(self, incident: str) -> list[Entry[Command]]:
        return [entry for entry in self._commands.values() if entry.message.incident == incident]

    def quarantined(self, pipeline: str) -> dict[str, set[str]]:
        """By source, the fields that are under quarantine: ordered, not failed, not released."""
        fields: dict[str, set[str]] = {}
        for entry in self._commands.values():
            command = entry.message
            if command.pipeline != pipeline or self._came_to_nothing(command.id):
                continue
            source, names = str(command.arguments.get("source", "")), command.arguments.get("fields")
            named = {str(name) for name in names} if isinstance(names, list | tuple) else set()
            if command.action == "quarantine_source":
                fields.setdefault(source, set()).update(named)
            elif command.action == "release_source":
                fields.get(source, set()).difference_update(named)
        return fields

    def _came_to_nothing(self, command: str) -> bool:
        return any(entry.message.state in ("failed", "refused", "expired") for entry in self.results(command))

    def select(self, *, pipeline: str | None, limit: int = 200) -> list[dict[str, Any]]:
        """Newest first, each with its newest result."""
        found = [e for e in self._commands.values() if pipeline in (None, e.message.pipeline)]
        return [self._view(entry) for entry in reversed(found[-limit:])]

    def _view(self, entry: Entry[Command]) -> dict[str, Any]:
        results = self.results(entry.message.id)
        newest = plain(results[-1].message) if results else None
        return plain(entry.message) | entry.place | {"result": newest}
