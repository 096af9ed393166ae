"""Those who act on orders from outside the loop: the gateway, which tells people, and the supervisor."""

from __future__ import annotations

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
