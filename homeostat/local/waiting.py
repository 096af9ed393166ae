"""Waiting for something to be true, with a deadline."""

from __future__ import annotations

from collections.abc import Callable

from tenacity import RetryError, Retrying, retry_if_result, stop_after_delay, wait_fixed


def wait_for(condition: Callable[[], bool], seconds: float, every: float = 0.05) -> bool:
    """True as soon as `condition` holds, False when `seconds` went by without."""
    attempts = Retrying(
        retry=retry_if_result(lambda held: not held), stop=stop_after_delay(seconds), wait=wait_fixed(every)
    )
    try:
        return bool(attempts(condition))
    except RetryError:
        return False
