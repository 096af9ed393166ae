"""What `curl -d` sends is JSON here, though curl calls it a form."""

from __future__ import annotations

from starlette.datastructures import Headers, MutableHeaders
from starlette.types import ASGIApp, Receive, Scope, Send

FORM = "application/x-www-form-urlencoded"


class TakeFormsAsJson:
    """ASGI middleware: no route takes forms, so a body that names itself one, as curl's default does, or that names
    nothing at all is read as JSON. That no other site's page sends it is checked by origin, not by Content-Type.
    """

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http":
            kind = Headers(scope=scope).get("content-type", FORM).partition(";")[0].strip().lower()
            if kind == FORM:
                # In place: whoever counts calls reads the route from this very scope.
                MutableHeaders(scope=scope)["content-type"] = "application/json"
        await self._app(scope, receive, send)
