"""Those outside the loop: the gateway and the supervisor, who act on orders, and a process that was given up."""

from __future__ import annotations

from collections.abc import Sequence

from homeostat.simulation.injector import Injector
from shared.bus.base import NewRecord, Record
from shared.messages import CommandResult
from shared.runtime.memory import MemoryRuntime
from shared.topics import COMMAND_RESULTS, COMMANDS

_BY = {"notify": "gateway", "restart_service": "supervisor", "scale_service": "supervisor"}


class Outside:
    """Answers each of their commands once, at once."""

    def __init__(self, runtime: MemoryRuntime) -> None:
        self._runtime = runtime
        self._seen = 0

    def answer(self) -> None:
        """Answers what has come since the last call."""
        commands = self._runtime.messages(COMMANDS, since=self._seen)
        self._seen += len(commands)
        for command in commands:
            service = _BY.get(command.action)
            if service is not None:
                result = CommandResult(
                    command=command.id,
                    pipeline=command.pipeline,
                    state="succeeded",
                    at=self._runtime.now,
                    service=service,
                )
                self._runtime.put(COMMAND_RESULTS, result)


class Echo:
    """A process taken for dead that had the same jobs in hand: it tells their ends once more, later."""

    def __init__(self, injector: Injector) -> None:
        self._injector = injector
        self._seen = 0
        self._told: list[tuple[float, NewRecord]] = []

    def due(self, ends: Sequence[Record]) -> list[NewRecord]:
        """What is to be written now. `ends` is all that `job-results` holds."""
        fault, now = self._injector.active("jobs-doubled"), self._injector.now
        if fault is not None:
            later = now + 1.0 + 8.0 * fault.amount
            self._told += [(later, NewRecord(end.topic, end.key, end.value)) for end in ends[self._seen :]]
        self._seen = len(ends)
        found = [record for at, record in self._told if at <= now]
        self._told = [(at, record) for at, record in self._told if at > now]
        self._seen += len(found)
        return found
