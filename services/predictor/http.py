"""The little of HTTP over ASGI that the endpoint needs: a bounded body in, one reply out."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any, NamedTuple

import msgspec

Scope = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[MutableMapping[str, Any]]]
Send = Callable[[MutableMapping[str, Any]], Awaitable[None]]


class Reply(NamedTuple):
    """What goes back. `headers` are in addition to type and length."""

    status: int
    body: bytes
    headers: tuple[tuple[bytes, bytes], ...] = ()
    content_type: bytes = b"application/json"


class HttpError(Exception):
    """A request that gets an error of the protocol: ``{"error": detail}`` with this status."""

    def __init__(self, status: int, detail: str, *, retry_after_seconds: int | None = None) -> None:
        super().__init__(detail)
        self.status = status
        self.detail = detail
        self.retry_after_seconds = retry_after_seconds


def json_reply(status: int, value: object) -> Reply:
    return Reply(status, msgspec.json.encode(value))


def error_reply(error: HttpError) -> Reply:
    reply = json_reply(error.status, {"error": error.detail})
    if error.retry_after_seconds is None:
        return reply
    return reply._replace(headers=((b"retry-after", str(error.retry_after_seconds).encode()),))


def header(scope: Scope, name: str) -> str | None:
    """A request header by its lower-case name."""
    wanted = name.encode()
    return next((value.decode("latin-1") for key, value in scope["headers"] if key == wanted), None)


async def body_of(scope: Scope, receive: Receive, limit: int) -> bytes:
    """The whole body; `HttpError` (413) before more than `limit` bytes are held."""
    declared = header(scope, "content-length") or ""
    if declared.isdigit() and int(declared) > limit:
        raise _too_large(limit)
    parts: list[bytes] = []
    held = 0
    while True:
        message = await receive()
        if message["type"] == "http.disconnect":
            raise HttpError(400, "the client went away before the body was complete")
        part = message.get("body", b"")
        held += len(part)
        if held > limit:
            raise _too_large(limit)
        parts.append(part)
        if not message.get("more_body", False):
            return b"".join(parts)


async def send_reply(send: Send, reply: Reply) -> None:
    headers = [
        (b"content-type", reply.content_type),
        (b"content-length", str(len(reply.body)).encode()),
        *reply.headers,
    ]
    await send({"type": "http.response.start", "status": reply.status, "headers": headers})
    await send({"type": "http.response.body", "body": reply.body})


def _too_large(limit: int) -> HttpError:
    return HttpError(413, f"the body is larger than {limit} bytes: send fewer rows per request")
