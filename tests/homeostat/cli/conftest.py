from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from homeostat.cli import main
from tests.services.gateway.running import KEY, Running, running
from tests.services.gateway.story import tell


@dataclass(frozen=True, slots=True)
class Called:
    """What a command came to: its exit status and what it wrote."""

    status: int
    out: str
    err: str

    @property
    def json(self) -> Any:
        return json.loads(self.out)


PATIENT = {"send", "labels", "promote", "rollback", "retrain", "release", "hold", "release-hold"}
"""Commands that wait for what becomes of what they asked."""

Call = Callable[..., Called]


@pytest.fixture
def call(capfd: pytest.CaptureFixture[str]) -> Call:
    """Runs `homeostat` with these words."""

    def run(*words: str) -> Called:
        capfd.readouterr()
        status = 0
        try:
            main(list(words))
        except SystemExit as ended:
            status = int(ended.code or 0)
        out, err = capfd.readouterr()
        return Called(status, out, err)

    return run


@pytest.fixture
def gateway(tmp_path: Path) -> Iterator[Running]:
    """A gateway with a story behind it."""
    with running(tmp_path / "gateway", wait=False) as started:
        tell(started)
        yield started


@pytest.fixture
def ask(gateway: Running, call: Call) -> Call:
    """Runs `homeostat` against that gateway, behind which no service works: nothing there is worth waiting for."""

    def run(*words: str) -> Called:
        patience = ["--no-wait"] if not PATIENT.isdisjoint(words[:2]) and "--help" not in words else []
        return call(*words, *patience, "--url", gateway.url, "--api-key", KEY)

    return run
