"""What became of each order to notify: one result, however many subscriptions it goes to."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from datetime import datetime

import structlog
from tenacity import AsyncRetrying, RetryCallState, retry_if_exception_type, wait_exponential_jitter

from services.gateway.delivery.notice import Notice
from services.gateway.hub import Hub
from services.gateway.readmodel.entry import Entry
from services.gateway.readmodel.orders import CommandBook
from services.gateway.writer import Writer
from shared.errors import HomeostatError
from shared.messages import CommandResult, CommandState
from shared.topics import COMMAND_RESULTS

log = structlog.get_logger("gateway.answers")

LONGEST_PAUSE = 60.0


class Answers:
    """Event loop only. The first answer to a command is its result; what comes after it is not written."""

    def __init__(
        self, commands: CommandBook, hub: Hub, writer: Writer, pause_seconds: float, now: Callable[[], datetime]
    ) -> None:
        self._commands = commands
        self._writer = writer
        self._now = now
        self._wait = wait_exponential_jitter(multiplier=pause_seconds, max=LONGEST_PAUSE)
        self._decided: set[str] = set()
        hub.listen("command-results", self._folded)

    def given(self, command: str) -> bool:
        """Whether it has its result, or is about to."""
        return command in self._decided or self._commands.finished(command)

    async def give(self, order: Notice, state: CommandState, detail: str) -> None:
        """Returns once the result is durable. While Kafka is away the same one is tried again: twice in the log, it
        still is one result.
        """
        command = order.command
        if command is None or self.given(command):
            return
        self._decided.add(command)  # until it is folded: others may be answering the same order right now
        result = CommandResult(
            command=command, pipeline=order.pipeline, state=state, at=self._now(), service="gateway", detail=detail
        )
        attempts = AsyncRetrying(
            retry=retry_if_exception_type(HomeostatError), wait=self._wait, before_sleep=_told(command)
        )
        await attempts(asyncio.to_thread, self._writer.write, [COMMAND_RESULTS.of(result)], self._now())

    def _folded(self, entry: Entry[CommandResult]) -> None:
        self._decided.discard(entry.message.command)


def _told(command: str) -> Callable[[RetryCallState], None]:
    def tell(state: RetryCallState) -> None:
        why = state.outcome.exception() if state.outcome is not None else None
        log.warning("a notify order waits for its answer to be written", command=command, error=str(why))

    return tell
