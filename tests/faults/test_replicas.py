"""Processes of a service come, go and come back from the dead under load; the partitions move, the counts do not."""

from __future__ import annotations

from functools import partial
from threading import Event

import pytest

from homeostat.local.waiting import wait_for
from shared.clock import monotonic
from tests.faults.replicas import Replica, replicas_of
from tests.faults.scene import LONG, ON_A_STACK, Scene, laps
from tests.faults.sender import Sender

pytestmark = [*ON_A_STACK, pytest.mark.slow]

ZOMBIE_SECONDS = 16.0
"""Longer than a consumer's session (10 s), and than a transaction may be open (10 s)."""


@LONG
def test_replicas_that_join_leave_and_die_under_load_lose_no_row_and_double_none(scene: Scene) -> None:
    with replicas_of(scene.home) as replicas, scene.load() as sender:
        for _ in laps(40):
            more = [replicas.started(service, slot) for service in ("predictor", "ingest") for slot in ("6", "7")]
            for each in more:
                each.wait()
            _further(sender, 400)
            for each in more[::2]:
                each.child.kill()
            killed_at = monotonic()
            for each in more[1::2]:
                each.end()
            assert all(each.says("drained") for each in more[1::2])
            scene.recovered("one of three of ingest and predictor killed, one ended", killed_at)


def test_a_zombie_whose_slot_is_taken_is_fenced_and_ends(scene: Scene) -> None:
    with replicas_of(scene.home) as replicas, scene.load() as sender:
        for _ in laps(40):
            zombie = replicas.started("predictor", "8")
            zombie.wait()
            paused_at = monotonic()
            zombie.pause()
            heir = replicas.started("predictor", "8")
            heir.wait()
            scene.recovered("a predictor paused, another process started in its slot", paused_at)
            zombie.go_on()

            assert zombie.status() == 3, zombie.log
            assert zombie.says("another process took over")
            assert heir.child.running
            heir.child.kill()
            _further(sender, 200)


@LONG
def test_a_zombie_whose_partitions_others_have_is_fenced_and_joins_anew(scene: Scene) -> None:
    with replicas_of(scene.home) as replicas, scene.load() as sender:
        for _ in laps(60):
            zombies = [replicas.started(service, "8") for service in ("ingest", "predictor")]
            for zombie in zombies:
                zombie.wait()
            paused_at = monotonic()
            for zombie in zombies:
                zombie.pause()
            Event().wait(ZOMBIE_SECONDS)
            scene.recovered("an ingest and a predictor of two paused for longer than their sessions", paused_at)
            for zombie in zombies:
                before = zombie.log
                zombie.go_on()
                assert wait_for(partial(_was_fenced, zombie, before), 60), zombie.log
            _further(sender, 400)
            for zombie in zombies:
                zombie.child.kill()


def _further(sender: Sender, rows: int) -> None:
    sent = len(sender.accepted)
    assert wait_for(lambda: len(sender.accepted) > sent + rows, 90)


def _was_fenced(zombie: Replica, before: str) -> bool:
    """Either Kafka refused its open transaction and it ended, or it gave up the tasks that it had."""
    said = zombie.log.removeprefix(before)
    return zombie.child.exit_status == 3 or "task handed over" in said or "transaction aborted" in said
