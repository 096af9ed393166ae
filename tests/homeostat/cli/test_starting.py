"""A stack that starts is told apart from one that is not there."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from homeostat.local.discovery import Claim
from tests.homeostat.cli.conftest import Call


@pytest.fixture
def starting(tmp_path: Path) -> Iterator[Path]:
    claim = Claim(tmp_path)
    claim.announce({"gateway": "http://127.0.0.1:9"}, {"KAFKA_BOOTSTRAP_SERVERS": "127.0.0.1:9"}, ["monitor"])
    yield tmp_path
    claim.release()


@pytest.mark.parametrize("words", ["status", "predict elec2 -", "verify", "tail alerts"])
def test_whoever_asks_a_stack_that_starts_is_told_what_it_waits_for(call: Call, starting: Path, words: str) -> None:
    shown = call(*words.split(), "--data", str(starting))

    assert shown.status == 1
    assert "starting: waiting for monitor" in shown.err
    assert "no stack runs" not in shown.err.lower()
    assert "8080" not in shown.err
