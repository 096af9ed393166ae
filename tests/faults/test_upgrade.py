"""Every service ends in order and starts again, one after the other, under load: what a rolling upgrade does."""

from __future__ import annotations

from collections import Counter

import pytest

from homeostat.local.waiting import wait_for
from shared.clock import monotonic
from tests.faults.scene import NAME, ON_A_STACK, SECONDS, Scene, laps
from tests.faults.stream import Follower
from tests.support.stack import Home

pytestmark = [*ON_A_STACK, pytest.mark.slow]

SERVICES = ("ingest", "predictor", "gateway", "monitor", "remediator", "trainer")[: None if SECONDS else 3]
"""A short run has the three that a client feels."""
RESTART_SECONDS = 120.0


def test_an_upgrade_drops_no_row_and_a_stream_goes_on_without_a_gap_or_a_repeat(scene: Scene) -> None:
    known, follower = set(scene.accepted), Follower(scene.home, NAME)
    follower.start()
    try:
        with scene.load() as sender:
            for _ in laps(45):
                for service in SERVICES:
                    began = monotonic()
                    _restart(scene.home, service)
                    scene.told(f"{service} ended in order and started again: ready after {monotonic() - began:.1f} s")
                    scene.recovered(f"{service} ended in order and started again", began)
        expected = set(scene.accepted) - known
        wait_for(lambda: len(follower.seen) >= len(expected), 60)
    finally:
        follower.stop()

    resumed = follower.connections - 1
    scene.told(f"the client repeated {sender.repeats} of its requests, and resumed its stream {resumed} times")
    assert resumed >= len(laps(45)), "the gateway's restart was not felt"
    assert Counter(follower.seen) == dict.fromkeys(expected, 1)


def _restart(home: Home, service: str) -> None:
    log = home.data / "logs" / f"{service}.log"
    before, said = home.stack.status[service], log.stat().st_size
    home.stack.restart(service)

    def back() -> bool:
        now = home.stack.status[service]
        return now.starts > before.starts and now.phase == "ready"

    assert wait_for(back, RESTART_SECONDS), home.stack.status[service]
    assert home.stack.status[service].restarts == before.restarts, "that was no orderly end"
    if service != "gateway":
        assert b"drained" in log.read_bytes()[said:]
