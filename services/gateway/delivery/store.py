"""Subscriptions on disk: one JSON file, replaced whole, readable by this user alone (it holds secrets).

Not records on a topic: a subscription holds secrets and a cursor that moves with every delivery, and
belongs to the gateway that delivers; nothing else reads it. See docs/gateway.md.
"""

from __future__ import annotations

import json
import os
import tempfile
import threading
from collections.abc import Iterable, Iterator
from datetime import datetime
from pathlib import Path
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from services.gateway.delivery.notice import Notice
from shared.errors import Misconfigured

UNDELIVERABLE_KEPT = 100

Severity = Literal["info", "warning", "critical"]


class Filters(BaseModel):
    """What is told: everything that matches each given part; an empty part matches anything.

    `events`: ``alert`` (begins, grows, ends), ``incident`` (opened, acted, outcome), ``notify`` (a
    person is asked for). `kinds` are kinds of alerts and bind alerts alone.
    """

    model_config = ConfigDict(extra="forbid")
    pipelines: tuple[str, ...] = ()
    severities: tuple[Severity, ...] = ()
    kinds: tuple[str, ...] = ()
    events: tuple[Literal["alert", "incident", "notify"], ...] = ()

    def take(self, notice: Notice) -> bool:
        event = notice.type.partition(".")[0]
        return (
            (not self.pipelines or notice.pipeline in self.pipelines)
            and (not self.severities or notice.severity in self.severities)
            and (not self.events or event in self.events)
            and (not self.kinds or event != "alert" or notice.kind in self.kinds)
        )


class Undeliverable(BaseModel):
    """One event that was given up, and why."""

    id: str
    type: str
    at: datetime
    reason: str


class Subscription(BaseModel):
    """`cursor` is the place in the log after the last event delivered or given up."""

    id: str
    name: str
    type: Literal["webhook", "alertmanager", "apprise"]
    url: str
    secret: str | None = None
    filters: Filters = Filters()
    created_at: datetime
    created_by: str
    cursor: str = ""
    delivered: int = 0
    given_up: int = 0
    last_delivery: datetime | None = None
    undeliverable: list[Undeliverable] = Field(default_factory=list)


class SubscriptionStore:
    """Loads at the start; each change is on disk when the call returns. Called from any thread.

    A subscription that cannot be written is not added, nor removed (OSError). What was delivered
    counts at once, so it is not sent again; where that cannot be written (OSError), `keep` tries anew.
    """

    def __init__(self, file: Path) -> None:
        self._file = file
        self._all: dict[str, Subscription] = {}
        self._lock = threading.Lock()
        self._unwritten = False
        if file.exists():
            try:
                loaded = [Subscription.model_validate(entry) for entry in json.loads(file.read_bytes())]
            except (ValueError, ValidationError) as error:
                raise Misconfigured(
                    f"{file} is not a list of subscriptions: {error}; mend it or move it away"
                ) from error
            self._all = {subscription.id: subscription for subscription in loaded}

    def __iter__(self) -> Iterator[Subscription]:
        return iter(list(self._all.values()))

    def get(self, subscription: str) -> Subscription | None:
        return self._all.get(subscription)

    def add(self, subscription: Subscription) -> None:
        with self._lock:
            self._write([*self._all.values(), subscription])
            self._all[subscription.id] = subscription

    def remove(self, subscription: str) -> None:
        with self._lock:
            self._write(each for each in self._all.values() if each.id != subscription)
            del self._all[subscription]

    def delivered(self, subscription: Subscription, cursor: str, at: datetime) -> None:
        with self._lock:
            subscription.cursor, subscription.last_delivery = cursor, at
            subscription.delivered += 1
            self._save()

    def gave_up(self, subscription: Subscription, cursor: str, undeliverable: Undeliverable) -> None:
        with self._lock:
            subscription.cursor = cursor
            subscription.given_up += 1
            subscription.undeliverable = [*subscription.undeliverable, undeliverable][-UNDELIVERABLE_KEPT:]
            self._save()

    def keep(self) -> None:
        """Writes what an earlier call could not; OSError where that is still so."""
        with self._lock:
            if self._unwritten:
                self._save()

    def _save(self) -> None:
        self._unwritten = True
        self._write(self._all.values())

    def _write(self, subscriptions: Iterable[Subscription]) -> None:
        """All or nothing: whoever reads meanwhile, or after a crash, finds one whole list."""
        text = json.dumps([subscription.model_dump(mode="json") for subscription in subscriptions], indent=1)
        self._file.parent.mkdir(parents=True, exist_ok=True)
        handle, name = tempfile.mkstemp(dir=self._file.parent, prefix=f".{self._file.name}-")
        try:
            with os.fdopen(handle, "w") as out:
                out.write(text)
                out.flush()
                os.fsync(out.fileno())
            Path(name).replace(self._file)
        except BaseException:
            Path(name).unlink(missing_ok=True)
            raise
        self._unwritten = False
