"""A limit for calls of the client that overrun their own."""

from __future__ import annotations

import threading
from collections.abc import Callable
from concurrent.futures import Future
from concurrent.futures import TimeoutError as FutureTimeout

from shared.clock import monotonic
from shared.errors import Transient

GRACE_SECONDS = 0.5
"""What a call gets to say itself that its time is over."""


def in_time(call: Callable[[], object], deadline: float) -> None:
    """Calls; past `deadline` (as `monotonic` counts) the call is left to itself, and `Transient` is raised.

    After a broker's death librdkafka goes on asking the coordinator of a group for as long as the broker has not
    ended the transaction: up to 30 s more. What is left to itself so must belong to a producer that is given up;
    the next one of its slot fences it.
    """
    ended: Future[object] = Future()

    def run() -> None:
        try:
            ended.set_result(call())
        except Exception as error:  # noqa: BLE001 - raised where it is waited for
            ended.set_exception(error)

    threading.Thread(target=run, name="in-time", daemon=True).start()
    try:
        ended.result(max(0.0, deadline - monotonic()) + GRACE_SECONDS)
    except FutureTimeout:
        raise Transient("the coordinator of the group has not taken the offsets in time") from None
