"""Counts and times every call, by the route's pattern, never by its path."""

from __future__ import annotations

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from shared.clock import monotonic
from shared.telemetry.metrics import Meters


class CountCalls:
    """ASGI middleware. A stream counts when it ends."""

    def __init__(self, app: ASGIApp, meters: Meters) -> None:
        self._app = app
        self._meters = meters

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        status, begun = 500, monotonic()

        async def noted(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
            await send(message)

        try:
            await self._app(scope, receive, noted)
        finally:
            route = getattr(scope.get("route"), "path", "none")
            self._meters.count("homeostat_rest_requests_total", 1, service="gateway", route=route, status=str(status))
            self._meters.observe("homeostat_rest_seconds", monotonic() - begun, service="gateway", route=route)
