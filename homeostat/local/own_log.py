"""The log of the process that runs the stack: in a file like those of its parts."""

from __future__ import annotations

import logging
from pathlib import Path

from shared.telemetry.logging import configure_logging

LOGGER = "homeostat.stack"
"""What happens to the parts, and why."""


def keep_own_log(data: Path) -> Path:
    """From now on this process logs to a file under `data`: the terminal is for the person. Returns the file."""
    file = data / "logs" / "stack.log"
    file.parent.mkdir(parents=True, exist_ok=True)
    configure_logging("stack", to=file.open("a", buffering=1))
    logging.getLogger(LOGGER).setLevel(logging.INFO)
    return file
