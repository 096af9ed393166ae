"""What tests need of the world, brought by the tests themselves: a real Kafka, a real Redis."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import settings

from shared.clock import fresh_id
from tests.support.servers import kafka_server
from tools.chromium import bring

settings.register_profile("untimed", deadline=None)
settings.load_profile("untimed")  # how long an example takes tells of the machine's load, not of the code


def _shared_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """One folder for all worker processes of this test run."""
    base = tmp_path_factory.getbasetemp()
    return base.parent if os.environ.get("PYTEST_XDIST_WORKER") else base


@pytest.fixture(scope="session")
def kafka_bootstrap(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The address of a real broker: KAFKA_BOOTSTRAP_SERVERS, else a container, else the embedded one."""
    with kafka_server(_shared_folder(tmp_path_factory)) as address:
        yield address


@pytest.fixture(scope="session")
def chromium() -> str:
    """The path of a Chromium; `make test` brings one."""
    return bring()


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Who is given more time than usual goes first: at the end no worker waits for another's long test."""
    items.sort(key=_seconds_allowed, reverse=True)


def _seconds_allowed(item: pytest.Item) -> float:
    mark = item.get_closest_marker("timeout")
    return float(mark.args[0]) if mark and mark.args else 0.0


@pytest.fixture
def topic_prefix(request: pytest.FixtureRequest) -> str:
    """A prefix for topic names that no other test, worker or run has."""
    name = re.sub(r"[^a-zA-Z0-9]+", "-", request.node.name)[:40].strip("-")
    return f"{fresh_id(name)}."
