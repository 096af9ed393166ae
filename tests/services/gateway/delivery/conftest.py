"""Fixtures: a receiver of notices, and a gateway that may reach it."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.services.gateway.delivery.receiving import Receiver
from tests.services.gateway.running import Running, running


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    started = Receiver()
    started.thread.start()
    yield started
    started.server.shutdown()
    started.server.server_close()


@pytest.fixture
def gateway(tmp_path: Path) -> Iterator[Running]:
    """A gateway whose operator allowed webhooks to loopback."""
    with running(tmp_path, wait=False, webhook_allow=("127.0.0.1",)) as started:
        yield started
