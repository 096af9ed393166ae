"""The log of the process that runs the stack: in a file like those of its parts."""

from __future__ import annotations

import logging
from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

from shared.errors import Misconfigured
from shared.telemetry.logging import configure_logging

LOGGER = "homeostat.stack"
"""What happens to the parts, and why."""

T = TypeVar("T")


def keep_own_log(data: Path) -> Path:
    """From now on this process logs to a file under `data`: the terminal is for the person. Returns the file.

    `Misconfigured` where nothing can be written there.
    """
    file = data / "logs" / "stack.log"
    try:
        file.parent.mkdir(parents=True, exist_ok=True)
        log = file.open("a", buffering=1)
    except OSError as error:
        why = f"{error.filename}: {error.strerror}"
        raise Misconfigured(
            f"{data} cannot be used ({why}): choose another folder with --data or HOMEOSTAT_DATA"
        ) from error
    configure_logging("stack", to=log)
    logging.getLogger(LOGGER).setLevel(logging.INFO)
    return file


def tell_safely(tell: Callable[[T], object], what: T) -> None:
    """`tell(what)`; what it raises is logged: nobody who listens can end the thread that tells.

    Also what is no `Exception`: rich raises SystemExit where the terminal it writes to is closed.
    """
    try:
        tell(what)
    except BaseException as error:  # noqa: BLE001 - a thread of the stack goes on, whoever has gone
        logging.getLogger(LOGGER).warning("could not be told: %r: %r", what, error)
