"""Fixtures: a running gateway, and one that already knows a pipeline."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from shared.topics import PIPELINES
from tests.services.gateway.messages import defined
from tests.services.gateway.running import Running, running


@pytest.fixture
def gateway(tmp_path: Path) -> Iterator[Running]:
    """A running gateway that knows the pipeline `elec2`."""
    with running(tmp_path, wait=False) as started:
        started.put(PIPELINES, defined())
        yield started
