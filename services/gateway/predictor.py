"""The predictor's inference endpoint, asked over connections that are kept.

By aiohttp: a request costs it 0.2 ms of processor, httpx 1.2, and the hop is to cost less than the answer.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final, NamedTuple

import aiohttp

KEPT_SECONDS: Final = 4.0
"""Less than the predictor's server keeps an idle connection (5 s), so that none is used as it is closed."""

_TIMEOUT: Final = aiohttp.ClientTimeout(total=60.0, connect=2.0)


class Away(Exception):
    """The predictor does not answer; the text says where it was sought and why."""


class Slow(Exception):
    """The predictor has not answered in time."""


class Answer(NamedTuple):
    """What came back. Names of headers in lower case."""

    status: int
    headers: Mapping[str, str]
    body: bytes


class InferenceClient:
    """For one event loop, that of the first call."""

    def __init__(self, url: str) -> None:
        self._url = url
        self._session: aiohttp.ClientSession | None = None

    async def ask(self, method: str, target: str, body: bytes, headers: Mapping[str, str]) -> Answer:
        """`target`: path and query. Raises `Slow` or `Away`."""
        try:
            async with self._open().request(method, self._url + target, data=body, headers=headers) as answer:
                found = {name.lower(): value for name, value in answer.headers.items()}
                return Answer(answer.status, found, await answer.read())
        except TimeoutError as error:
            raise Slow(f"the predictor took too long: {type(error).__name__}") from error
        except (aiohttp.ClientError, ValueError) as error:
            raise Away(f"the predictor does not answer at {self._url}: {error}") from error

    async def close(self) -> None:
        if self._session is not None:
            await self._session.close()

    def _open(self) -> aiohttp.ClientSession:
        """Made at the first call: it belongs to the loop that runs then."""
        if self._session is None:
            self._session = aiohttp.ClientSession(
                connector=aiohttp.TCPConnector(limit=0, keepalive_timeout=KEPT_SECONDS),
                cookie_jar=aiohttp.DummyCookieJar(),
                timeout=_TIMEOUT,
                auto_decompress=False,
            )
        return self._session
