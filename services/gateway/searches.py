"""Long reading of the log, in threads of its own: what is written and answered meanwhile never waits for it."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from typing import TypeVar

from shared.errors import Overloaded

T = TypeVar("T")

MOST_OPEN = 8
THREADS = 2
RETRY_SECONDS = 2.0


class Searches:
    """At most `MOST_OPEN` questions at a time, `THREADS` of which read. For one event loop."""

    def __init__(self) -> None:
        self._open = 0
        self._pool = ThreadPoolExecutor(THREADS, thread_name_prefix="gateway-search")

    @contextmanager
    def one(self) -> Iterator[None]:
        """A question is open while the block runs; `Overloaded` where there are too many already."""
        if self._open >= MOST_OPEN:
            detail = f"{MOST_OPEN} questions are being looked up in the log, as many as are at once: ask again soon"
            raise Overloaded(detail, retry_after_seconds=RETRY_SECONDS)
        self._open += 1
        try:
            yield
        finally:
            self._open -= 1

    async def run(self, work: Callable[[], T]) -> T:
        return await asyncio.get_running_loop().run_in_executor(self._pool, work)

    def close(self) -> None:
        """What has not begun never will."""
        self._pool.shutdown(wait=False, cancel_futures=True)
