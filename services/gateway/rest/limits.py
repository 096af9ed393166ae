"""Bounds on what is taken in: 413 before a body is read whole, 429 when too much is under way."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from starlette.datastructures import Headers
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from services.gateway.rest.problems import Problem, answer


class InFlightFull(Exception):
    """`problem` is what the sender is told."""

    def __init__(self, under_way: int) -> None:
        super().__init__(under_way)
        detail = f"{under_way} bytes are being taken in already; send this again in a second"
        self.problem = Problem(429, "overloaded", detail, headers={"Retry-After": "1"})


class InFlight:
    """How many bytes of bodies are being taken in, at most `limit`; a single body is always taken."""

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self._bytes = 0

    @contextmanager
    def hold(self, size: int) -> Iterator[None]:
        """Counts `size` bytes in, and out at the end; `InFlightFull` where they do not fit."""
        if self._bytes and self._bytes + size > self._limit:
            raise InFlightFull(self._bytes)
        self._bytes += size
        try:
            yield
        finally:
            self._bytes -= size


class LimitBody:
    """ASGI middleware: refuses a body of more than `limit` bytes by its length, or while it comes in.

    All bodies together are bound by `in_flight`: a body without a stated length counts as a whole one.
    `row_limit` is only told of: what a single row may have.
    """

    def __init__(self, app: ASGIApp, limit: int, row_limit: int, in_flight: InFlight) -> None:
        self._app = app
        self._limit = limit
        self._row_limit = row_limit
        self._in_flight = in_flight

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http" or scope["method"] in ("GET", "HEAD", "OPTIONS"):
            await self._app(scope, receive, send)
            return
        headers = Headers(scope=scope)
        stated = headers.get("content-length", "")
        length = int(stated) if stated.isdigit() else self._limit if "transfer-encoding" in headers else 0
        if length > self._limit:
            await self._refuse(self._problem(f"{length} bytes"), scope, receive, send)
            return
        try:
            with self._in_flight.hold(length):
                await self._app(scope, self._counted(receive), send)
        except InFlightFull as full:
            await self._refuse(full.problem, scope, receive, send)

    async def _refuse(self, problem: Problem, scope: Scope, receive: Receive, send: Send) -> None:
        headers = {"Connection": "close", **(problem.headers or {})}
        await answer(scope["path"], problem.body, headers)(scope, receive, send)

    def _counted(self, receive: Receive) -> Receive:
        taken = 0

        async def counted() -> Message:
            nonlocal taken
            message = await receive()
            taken += len(message.get("body", b""))
            if taken > self._limit:
                raise self._problem("more bytes than that")
            return message

        return counted

    def _problem(self, size: str) -> Problem:
        return Problem(
            413,
            "too-large",
            f"the body has {size}, and the limit is {self._limit} bytes: send fewer rows at once, each of at most "
            f"{self._row_limit} bytes",
            limit=self._limit,
            row_limit=self._row_limit,
        )
