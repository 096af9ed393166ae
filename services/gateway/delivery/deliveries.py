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

from services.gateway.delivery.answers import LONGEST_PAUSE, Answers
from services.gateway.delivery.channels import Channels, NotDelivered
from services.gateway.delivery.notice import TOPICS, Notice, notice_of, over_by_now
from services.gateway.delivery.store import Subscription, SubscriptionStore, Undeliverable
from services.gateway.hub import Hub
from services.gateway.readmodel.entry import Entry
from services.gateway.readmodel.incidents import CLOSED
from services.gateway.service import ReadModels
from services.gateway.settings import GatewaySettings
from services.gateway.stream import LogStreams, text_of, vector_of
from services.gateway.writer import Writer
from shared.errors import HomeostatError
from shared.messages import Command

log = structlog.get_logger("gateway.deliveries")


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
        self._answers = Answers(models.commands, hub, writer, settings.delivery_pause_seconds, now)
        self._settings = settings
        self._now = now
        self._tasks: dict[str, asyncio.Task[None]] = {}
        self._unheard: asyncio.Queue[Notice] = asyncio.Queue()

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
        """Of a subscription that is no longer in the store: orders that only it could still take are answered."""
        task = self._tasks.pop(subscription, None)
        if task is not None:
            task.cancel()
        for entry in self._models.commands.all():
            self._heard(entry)

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
            notice = notice_of(entry, self._models.incidents.of_alert)
            return notice is not None and subscription.filters.take(notice)

        after = vector_of(subscription.cursor) if subscription.cursor else None
        async for entry, vector in self._streams.entries(TOPICS, after, wanted):
            notice = notice_of(entry, self._models.incidents.of_alert)
            if notice is not None:
                await self._deliver(subscription, self._as_of_now(notice), text_of(vector))

    def _as_of_now(self, notice: Notice) -> Notice:
        incident = self._models.incidents.get(notice.incident) if notice.command is not None else None
        return over_by_now(notice) if incident is not None and incident.state in CLOSED else notice

    async def _deliver(self, subscription: Subscription, notice: Notice, cursor: str) -> None:
        try:
            async for attempt in self._retrying():
                with attempt:
                    await self.channels.send(subscription, notice, self._now())
        except NotDelivered as error:
            log.warning("given up", subscription=subscription.id, notice=notice.id, error=str(error))
            lost = Undeliverable(id=notice.id, type=notice.type, at=self._now(), reason=str(error))
            try:
                await asyncio.to_thread(self._store.gave_up, subscription, cursor, lost)
            finally:
                self._left_over(notice)
            return
        if notice.command is not None:
            of = len(self._given_up(notice)) + len(self._may_yet(notice))
            detail = f"delivered to {subscription.name}" + (f", the first of {of} subscriptions" if of > 1 else "")
            await self._answers.give(notice, "succeeded", detail)
        await asyncio.to_thread(self._store.delivered, subscription, cursor, self._now())

    def _retrying(self) -> AsyncRetrying:
        return AsyncRetrying(
            retry=retry_if_exception(lambda error: isinstance(error, NotDelivered) and not error.final),
            wait=wait_exponential_jitter(multiplier=self._settings.delivery_pause_seconds, max=LONGEST_PAUSE),
            stop=stop_after_delay(self._settings.delivery_seconds),
            reraise=True,
        )

    def _may_yet(self, notice: Notice) -> list[Subscription]:
        """The subscriptions that this notice is still to be delivered to."""
        return [each for each in self._store if each.filters.take(notice) and not _is_past(each.cursor, notice)]

    def _given_up(self, notice: Notice) -> dict[str, str]:
        """By name of the subscriptions that it was given up for, why."""
        return {each.name: lost.reason for each in self._store for lost in each.undeliverable if lost.id == notice.id}

    def _heard(self, entry: Entry[Command]) -> None:
        notice = notice_of(entry)
        if notice is not None:
            self._left_over(notice)

    def _left_over(self, notice: Notice) -> None:
        """An order that no delivery will answer is answered beside them."""
        if notice.command is not None and not self._answers.given(notice.command) and not self._may_yet(notice):
            self._unheard.put_nowait(notice)

    async def _answer_unheard(self) -> None:
        """The dashboard shows the order all the same."""
        while True:
            notice = await self._unheard.get()
            late = datetime.fromisoformat(str(notice.data["deadline"])) < self._now()
            reasons = self._given_up(notice)
            told = "; ".join(f"{name}: {reason}" for name, reason in reasons.items())
            if reasons:
                detail = told if len(reasons) == 1 else f"delivered to none of {len(reasons)} subscriptions: {told}"
                await self._answers.give(notice, "failed", detail)
            elif late:
                await self._answers.give(notice, "expired", "its deadline had passed")
            else:
                await self._answers.give(notice, "succeeded", "nobody subscribes to it: shown on the dashboard only")


def _is_past(cursor: str, notice: Notice) -> bool:
    """Whether a subscription at this cursor is done with the notice, or began after it."""
    place = (str(notice.data["topic"]), int(notice.data["partition"]))
    return bool(cursor) and vector_of(cursor).get(place, 0) > int(notice.data["offset"])


def _told(task: asyncio.Task[None]) -> None:
    """A fault of our own must not end a subscription in silence; it goes on at the next start."""
    if not task.cancelled() and task.exception() is not None:
        log.error("deliveries have ended", subscription=task.get_name(), exc_info=task.exception())
