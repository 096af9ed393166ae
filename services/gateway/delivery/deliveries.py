"""Delivers: for each subscription one task that walks the log from its cursor, one event at a time.

At least once: the cursor moves after the receiver has answered. In order: the next event waits until
this one is delivered or given up, so the events of one incident never overtake each other.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from datetime import datetime
from typing import Any

import structlog
from tenacity import AsyncRetrying, retry_if_exception, stop_after_delay, wait_exponential_jitter

from services.gateway.delivery.channels import Channels, NotDelivered
from services.gateway.delivery.notice import TOPICS, Notice, notice_of
from services.gateway.delivery.store import Subscription, SubscriptionStore, Undeliverable
from services.gateway.hub import Hub
from services.gateway.readmodel.entry import Entry
from services.gateway.service import ReadModels
from services.gateway.settings import GatewaySettings
from services.gateway.stream import LogStreams, text_of, vector_of
from services.gateway.writer import Writer
from shared.errors import HomeostatError
from shared.messages import Command, CommandResult, CommandState
from shared.topics import COMMAND_RESULTS

log = structlog.get_logger("gateway.deliveries")

LONGEST_PAUSE = 60.0


class Deliveries:
    """Runs on the event loop, from `start` (once the read models are folded) to `stop`."""

    def __init__(
        self,
        store: SubscriptionStore,
        streams: LogStreams,
        models: ReadModels,
        hub: Hub,
        writer: Writer,
        settings: GatewaySettings,
        now: Callable[[], datetime],
    ) -> None:
        self.channels = Channels(
            settings.webhook_allow, settings.public_url or f"http://{settings.host}:{settings.port}"
        )
        self._store = store
        self._streams = streams
        self._models = models
        self._hub = hub
        self._writer = writer
        self._settings = settings
        self._now = now
        self._tasks: dict[str, asyncio.Task[None]] = {}
        self._unheard: asyncio.Queue[Command] = asyncio.Queue()

    def start(self) -> None:
        """Goes on with every subscription where it stood, and answers `notify` orders that nobody takes."""
        for subscription in self._store:
            self.begin(subscription)
        for entry in self._models.commands.all():
            self._heard(entry)
        self._hub.listen("commands", self._heard)
        self._tasks["notify orders"] = asyncio.create_task(self._answer_unheard())

    async def stop(self) -> None:
        for task in self._tasks.values():
            task.cancel()
        await asyncio.gather(*self._tasks.values(), return_exceptions=True)
        await self.channels.close()

    def here(self) -> str:
        """A cursor that stands after everything folded so far."""
        return text_of(self._streams.now(TOPICS))

    def begin(self, subscription: Subscription) -> None:
        task = asyncio.create_task(self._run(subscription), name=subscription.id)
        task.add_done_callback(_told)
        self._tasks[subscription.id] = task

    def end(self, subscription: str) -> None:
        task = self._tasks.pop(subscription, None)
        if task is not None:
            task.cancel()

    async def _run(self, subscription: Subscription) -> None:
        usual = pause = self._settings.delivery_pause_seconds
        while True:
            cursor = subscription.cursor
            try:
                await asyncio.to_thread(self._store.keep)
                await self._walk(subscription)
            except HomeostatError as error:
                log.warning("kafka is away; deliveries wait", subscription=subscription.id, error=str(error))
                pause = usual
            except OSError as error:
                log.warning("deliveries wait", subscription=subscription.id, error=str(error), seconds=pause)
                pause = usual if subscription.cursor != cursor else min(2 * pause, LONGEST_PAUSE)
            await asyncio.sleep(pause)

    async def _walk(self, subscription: Subscription) -> None:
        def wanted(entry: Entry[Any]) -> bool:
            notice = notice_of(entry)
            return notice is not None and subscription.filters.take(notice)

        after = vector_of(subscription.cursor) if subscription.cursor else None
        async for entry, vector in self._streams.entries(TOPICS, after, wanted):
            notice = notice_of(entry)
            if notice is not None:
                await self._deliver(subscription, notice, text_of(vector))

    async def _deliver(self, subscription: Subscription, notice: Notice, cursor: str) -> None:
        try:
            async for attempt in self._retrying():
                with attempt:
                    await self.channels.send(subscription, notice, self._now())
        except NotDelivered as error:
            log.warning("given up", subscription=subscription.id, notice=notice.id, error=str(error))
            if notice.command is not None and len(self._takers(notice)) == 1:
                await self._answer(notice.command, notice.pipeline, "failed", f"{subscription.name}: {error}")
            lost = Undeliverable(id=notice.id, type=notice.type, at=self._now(), reason=str(error))
            await asyncio.to_thread(self._store.gave_up, subscription, cursor, lost)
            return
        if notice.command is not None:
            await self._answer(notice.command, notice.pipeline, "succeeded", f"delivered to {subscription.name}")
        await asyncio.to_thread(self._store.delivered, subscription, cursor, self._now())

    def _retrying(self) -> AsyncRetrying:
        return AsyncRetrying(
            retry=retry_if_exception(lambda error: isinstance(error, NotDelivered) and not error.final),
            wait=wait_exponential_jitter(multiplier=self._settings.delivery_pause_seconds, max=LONGEST_PAUSE),
            stop=stop_after_delay(self._settings.delivery_seconds),
            reraise=True,
        )

    def _takers(self, notice: Notice) -> list[Subscription]:
        return [subscription for subscription in self._store if subscription.filters.take(notice)]

    def _heard(self, entry: Entry[Command]) -> None:
        notice = notice_of(entry)
        if notice is not None and not self._models.commands.finished(entry.message.id) and not self._takers(notice):
            self._unheard.put_nowait(entry.message)

    async def _answer_unheard(self) -> None:
        """Nobody subscribes: the dashboard shows the order all the same, and it is answered."""
        while True:
            command = await self._unheard.get()
            late = command.deadline < self._now()
            state: CommandState = "expired" if late else "succeeded"
            detail = "its deadline had passed" if late else "nobody subscribes to it: shown on the dashboard only"
            await self._answer(command.id, command.pipeline, state, detail)

    async def _answer(self, command: str, pipeline: str, state: CommandState, detail: str) -> None:
        """Once: a command that has its final result gets no other."""
        if self._models.commands.finished(command):
            return
        result = CommandResult(
            command=command, pipeline=pipeline, state=state, at=self._now(), service="gateway", detail=detail
        )
        try:
            await asyncio.to_thread(self._writer.write, [COMMAND_RESULTS.of(result)], self._now())
        except HomeostatError as error:
            log.warning("a notify order stays unanswered", command=command, error=str(error))


def _told(task: asyncio.Task[None]) -> None:
    """A fault of our own must not end a subscription in silence; it goes on at the next start."""
    if not task.cancelled() and task.exception() is not None:
        log.error("deliveries have ended", subscription=task.get_name(), exc_info=task.exception())
