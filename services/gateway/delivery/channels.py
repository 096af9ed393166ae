"""How a notice reaches its receiver: signed webhook, Alertmanager webhook, any apprise URL."""

from __future__ import annotations

import asyncio
import json
import logging
from collections.abc import Sequence
from contextlib import nullcontext
from datetime import datetime

import apprise
import httpx

from services.gateway.delivery.guard import Refused, Resolve, allowed_by_name, check_host, guarded, resolve, target_of
from services.gateway.delivery.notice import Notice, alertmanager_body, signature, webhook_body
from services.gateway.delivery.store import Subscription

ANSWER_SECONDS = 10.0
RETRIED = (408, 425, 429)
ON_THIS_MACHINE = ("dbus", "glib", "gnome", "kde", "macosx", "qt", "syslog", "windows")
KINDS = {"info": "info", "warning": "warning", "critical": "failure"}

logging.getLogger("apprise").setLevel(logging.CRITICAL)  # its warnings repeat the URL, and with it the token


class NotDelivered(Exception):
    """`final`: trying again would not help."""

    def __init__(self, reason: str, *, final: bool) -> None:
        super().__init__(reason)
        self.final = final


class Channels:
    """Sends one notice once. `allow` lists what may be reached though it is not public."""

    def __init__(self, allow: Sequence[str], external_url: str, resolver: Resolve = resolve) -> None:
        self._allow = tuple(allow)
        self._resolver = resolver
        self._external_url = external_url
        self._http = httpx.AsyncClient(timeout=ANSWER_SECONDS, follow_redirects=False, trust_env=False)

    async def close(self) -> None:
        await self._http.aclose()

    async def check(self, kind: str, url: str) -> None:
        """`Refused` where a subscription to this URL could never be served."""
        if kind == "apprise":
            await asyncio.to_thread(self._plugin, url)
        else:
            await asyncio.to_thread(target_of, url, self._allow, self._resolver)

    async def send(self, subscription: Subscription, notice: Notice, now: datetime) -> None:
        """Returns once the receiver has taken it; `NotDelivered` otherwise."""
        try:
            if subscription.type == "apprise":
                await asyncio.to_thread(self._notify, subscription.url, notice)
            else:
                await self._post(subscription, notice, now)
        except Refused as error:
            raise NotDelivered(str(error), final=True) from error

    async def _post(self, subscription: Subscription, notice: Notice, now: datetime) -> None:
        target = await asyncio.to_thread(target_of, subscription.url, self._allow, self._resolver)
        if subscription.type == "alertmanager":
            content = alertmanager_body(notice, subscription.name, self._external_url)
        else:
            content = webhook_body(notice)
        body = json.dumps(content, default=str).encode()
        url = httpx.URL(target.url)
        headers = {"Content-Type": "application/json", "User-Agent": "homeostat", "Host": url.netloc.decode()}
        if subscription.secret:
            headers |= signature(subscription.secret, notice.id, now, body)
        request = self._http.build_request(
            "POST",
            url.copy_with(host=target.address),
            content=body,
            headers=headers,
            extensions={"sni_hostname": target.host},
        )
        try:
            answer = await self._http.send(request, stream=True)
            await answer.aclose()
        except httpx.HTTPError as error:
            raise NotDelivered(f"{target.host}: {type(error).__name__}: {error}", final=False) from error
        if not answer.is_success:
            final = answer.status_code < 500 and answer.status_code not in RETRIED
            raise NotDelivered(f"{target.host} answered {answer.status_code}", final=final)

    def _notify(self, url: str, notice: Notice) -> None:
        plugin = self._plugin(url)
        trusted = any(allowed_by_name(host, port, self._allow) for host, port in _hosts(plugin))
        with nullcontext() if trusted else guarded(self._allow):
            taken = plugin.notify(body=notice.text, title=notice.title, notify_type=KINDS[notice.severity])
        if not taken:
            raise NotDelivered(f"{plugin.service_name} did not take it", final=False)

    def _plugin(self, url: str) -> apprise.NotifyBase:
        """The apprise service behind the URL, held to the same guard where the URL names a host."""
        plugin = apprise.Apprise.instantiate(url, suppress_exceptions=True)
        if plugin is None:
            raise Refused("apprise knows no such URL: https://appriseit.com/services lists its forms")
        if url.partition("://")[0].lower() in ON_THIS_MACHINE:
            raise Refused("this service notifies on the gateway's own machine: it is not offered")
        plugin.redirects = False
        for host, port in _hosts(plugin):
            check_host(host, port, self._allow, self._resolver)
        return plugin


def _hosts(plugin: apprise.NotifyBase) -> list[tuple[str, int]]:
    """The hosts that the URL itself names; most services have one of their own, which it does not."""
    templates: tuple[str, ...] = plugin.templates
    found = [(plugin.host, plugin.port or 443)] if any("{host}" in template for template in templates) else []
    smtp = getattr(plugin, "smtp_host", None)
    return found + ([(smtp, plugin.port or 587)] if smtp else [])
