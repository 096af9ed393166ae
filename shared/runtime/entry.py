"""How a service's `main` ends: a status for its supervisor, and one line for a person where it could not run."""

from __future__ import annotations

import sys
from collections.abc import Callable
from functools import wraps

from shared.errors import HomeostatError, Misconfigured


def entry(service: str) -> Callable[[Callable[[], int]], Callable[[], int]]:
    """Turns a `HomeostatError` that ends `main` into one line on standard error and its status.

    2: a setting is wrong, a restart changes nothing. 1: anything else that may be different the next time.
    """

    def guarded(main: Callable[[], int]) -> Callable[[], int]:
        @wraps(main)
        def run() -> int:
            try:
                return main()
            except HomeostatError as error:
                sys.stderr.write(f"{service}: {' '.join(str(error).split())}\n")
                return 2 if isinstance(error, Misconfigured) else 1

        return run

    return guarded
