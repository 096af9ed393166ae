"""A real Redis for the snapshot stores."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from homeostat.local.guard import Guard
from homeostat.local.process import free_port
from homeostat.local.redis import redis_part
from homeostat.local.waiting import wait_for


@pytest.fixture(scope="module")
def redis_url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The address of a Redis: REDIS_URL, else the one of the local stack."""
    if given := os.environ.get("REDIS_URL"):
        yield given
        return
    folder: Path = tmp_path_factory.mktemp("redis")
    guard, port = Guard(), free_port()
    part = redis_part(folder, folder / "redis.log", port, guard)
    part.launch()
    assert wait_for(part.ready, 10)
    yield f"redis://127.0.0.1:{port}/0"
    part.child.stop(part.stop_seconds)
    guard.close()
