"""Those outside the loop: the gateway and the supervisor, who act on orders, and a process that was given up."""

from __future__ import annotations

from collections.abc import Sequence

from homeostat.simulation.faults import FaultName
from homeostat.simulation.injector import Injector
from shared.bus.base import NewRecord, Producer, Record
from shared.messages import CommandResult
from shared.runtime.memory import MemoryRuntime
from shared.topics import COMMAND_RESULTS, COMMANDS

_BY = {"notify": "gateway", "restart_service": "supervisor", "scale_service": "supervisor"}


class Outside:
    """Answers each of their commands once, at once, however often it comes."""

    def __init__(self, runtime: MemoryRuntime) -> None:
        self._runtime = runtime
        self._seen = 0
        self._handled: set[str] = set()

    def answer(self) -> None:
        """Answers what has come since the last call."""
        commands = self._runtime.messages(COMMANDS, since=self._seen)
        self._seen += len(commands)
        for command in commands:
            service = _BY.get(command.action)
            if service is not None and command.id not in self._handled:
                self._handled.add(command.id)
                result = CommandResult(
                    command=command.id,
                    pipeline=command.pipeline,
                    state="succeeded",
                    at=self._runtime.now,
                    service=service,
                )
                self._runtime.put(COMMAND_RESULTS, result)


class Echo:
    """What is told once more, later, while `fault` lasts: by a process taken for dead that had the same in hand.

    `whole`: all that was told before is told again too. Records told again have no headers.
    """

    def __init__(self, injector: Injector, fault: FaultName, client: Producer, *, whole: bool = False) -> None:
        self._injector = injector
        self._fault: FaultName = fault
        self._client = client
        self._whole = whole
        self._heard = 0
        self._waiting: list[tuple[float, NewRecord]] = []
        self._told: set[int] = set()

    def tell(self, records: Sequence[Record]) -> None:
        """Writes what is due now. `records` is all that the topic holds, which has one partition."""
        fault, now = self._injector.active(self._fault), self._injector.now
        if fault is not None:
            later = now + 1.0 + 8.0 * fault.amount
            heard = [one for one in records[self._heard :] if one.offset not in self._told]
            self._waiting += [(later, NewRecord(one.topic, one.key, one.value)) for one in heard]
        if fault is not None or not self._whole:
            self._heard = len(records)
        due = [record for at, record in self._waiting if at <= now]
        self._waiting = [(at, record) for at, record in self._waiting if at > now]
        self._told.update(at.offset for at in self._client.send(due, 0.0))
