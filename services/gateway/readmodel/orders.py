"""Commands and what became of them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from services.gateway.readmodel.entry import Entry, in_order, plain
from shared.messages import Command, CommandResult

COMMANDS_KEPT = 5000
RESULTS_PER_COMMAND = 20
_LASTING = ("quarantine_source", "release_source", "hold", "release_hold")
_IN_VAIN = ("failed", "refused", "expired")
FINAL = ("succeeded", *_IN_VAIN)


class CommandBook:
    """The newest `COMMANDS_KEPT` commands with their results; what is in force until it is taken back goes last."""

    def __init__(self, kept: int = COMMANDS_KEPT) -> None:
        self._kept = kept
        self._commands: dict[str, Entry[Command]] = {}
        self._results: dict[str, list[Entry[CommandResult]]] = {}

    def on_commands(self, entries: Sequence[Entry[Command]]) -> None:
        for entry in entries:
            self._commands.setdefault(entry.message.id, entry)
        while len(self._commands) > self._kept:
            others = (name for name, entry in self._commands.items() if entry.message.action not in _LASTING)
            oldest = next(others, next(iter(self._commands)))
            del self._commands[oldest]
            self._results.pop(oldest, None)

    def on_command_results(self, entries: Sequence[Entry[CommandResult]]) -> None:
        for entry in entries:
            results = self._results.setdefault(entry.message.command, [])
            results.append(entry)
            if len(results) > RESULTS_PER_COMMAND:
                del results[_least_telling(results)]
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

    def held(self) -> list[Entry[Command]]:
        """All commands that are remembered."""
        return in_order(self._commands.values())

    def results_held(self) -> list[Entry[CommandResult]]:
        """All results that are remembered."""
        return in_order(entry for results in self._results.values() for entry in results)

    def of_incident(self, incident: str) -> list[Entry[Command]]:
        return [entry for entry in self._commands.values() if entry.message.incident == incident]

    def quarantined(self, pipeline: str) -> dict[str, set[str]]:
        """By source (`*`: of all), the fields that are under quarantine: ordered, not failed, not released."""
        return {source: set(orders) for source, orders in self._withholding(pipeline).items()}

    def quarantine(self, pipeline: str) -> list[dict[str, Any]]:
        """By source and field, since when it is withheld, why, and in which incident."""
        return [
            {"source": source, "field": field}
            | {"since": by.at.isoformat(), "why": by.reason, "incident": by.incident, "issued_by": by.issued_by}
            for source, orders in sorted(self._withholding(pipeline).items())
            for field, by in sorted(orders.items())
        ]

    def hold(self, pipeline: str) -> dict[str, Any] | None:
        """Since when nothing is learned or promoted, why, and in which incident; None where learning goes on."""
        orders = (e.message for e in reversed(self._commands.values()) if e.message.pipeline == pipeline)
        asked = (by for by in orders if by.action in ("hold", "release_hold"))
        by = next((each for each in asked if not self._came_to_nothing(each.id)), None)
        if by is None or by.action != "hold":
            return None
        return {"since": by.at.isoformat(), "why": by.reason, "incident": by.incident, "issued_by": by.issued_by}

    def _withholding(self, pipeline: str) -> dict[str, dict[str, Command]]:
        """By source and field, the order that withholds it."""
        withheld: dict[str, dict[str, Command]] = {}
        for entry in self._commands.values():
            command = entry.message
            if command.pipeline != pipeline or self._came_to_nothing(command.id):
                continue
            source, names = str(command.arguments.get("source", "")), command.arguments.get("fields")
            named = [str(name) for name in names] if isinstance(names, list | tuple) else []
            orders = withheld.setdefault(source, {})
            for name in named:
                if command.action == "quarantine_source":
                    orders.setdefault(name, command)
                elif command.action == "release_source":
                    orders.pop(name, None)
        return withheld

    def _came_to_nothing(self, command: str) -> bool:
        return any(entry.message.state in _IN_VAIN for entry in self.results(command))

    def select(self, *, pipeline: str | None, limit: int = 200) -> list[dict[str, Any]]:
        """Newest first, each with its newest result."""
        found = [e for e in self._commands.values() if pipeline in (None, e.message.pipeline)]
        return [self._view(entry) for entry in reversed(found[-limit:])]

    def _view(self, entry: Entry[Command]) -> dict[str, Any]:
        results = self.results(entry.message.id)
        newest = plain(results[-1].message) if results else None
        return plain(entry.message) | entry.place | {"result": newest}


def _least_telling(results: Sequence[Entry[CommandResult]]) -> int:
    """Which one to do without. The first says who took it, the newest what came of it; that it was in vain is kept."""
    states = [entry.message.state for entry in results]
    return min(range(1, len(states) - 1), key=lambda at: (states[at] in _IN_VAIN, states[at] in FINAL))
