"""The wall clock and fresh identity, for the edges only: runtimes, REST, the command line.

Services get `now` as an argument; the lint bans the clock everywhere else.
"""

from __future__ import annotations

import time
import uuid
from datetime import UTC, datetime


def utc_now() -> datetime:
    """Now, aware, in UTC."""
    return datetime.now(UTC)  # noqa: TID251 - the one place that reads it


def monotonic() -> float:
    """Seconds that never go back; only differences mean anything."""
    return time.monotonic()


def fresh_id(prefix: str) -> str:
    """An id that nobody had before, sortable by nothing."""
    return f"{prefix}-{uuid.uuid4().hex[:16]}"  # noqa: TID251 - the one place that draws it
