"""Parts killed and stopped at random moments under load: nothing accepted is lost, nothing counts twice.

A few seconds of this belong to every test run. For longer and for other randomness:
``make faults SECONDS=3600 SEED=7``, some thirteen hundred kills in this module alone.
"""

from __future__ import annotations

import os
import random
from collections import Counter
from dataclasses import dataclass
from threading import Event
from typing import Any

import pytest

from homeostat.local.waiting import wait_for
from shared.clock import monotonic
from tests.faults.checker import committed
from tests.faults.replicas import Replica, replicas_of
from tests.faults.scene import NAME, ON_A_STACK, Scene, laps
from tests.faults.sender import Sender

LAP_SECONDS = 22.0
SEED = int(os.environ.get("HOMEOSTAT_FAULT_SEED", "20261121"))

pytestmark = [*ON_A_STACK, pytest.mark.slow]

PARTS = ("ingest", "predictor", "monitor", "remediator", "trainer", "gateway", "redis", "mlflow")
STOPPED_SECONDS = 13.0
"""Longer than a consumer's session (10 s)."""


@dataclass(frozen=True, slots=True)
class Aftermath:
    """What was done, to what, and by which client it was felt; all that it sent has come to rest."""

    scene: Scene
    sender: Sender
    killed: list[str]


@pytest.fixture(scope="module")
def aftermath(shared_scene: Scene) -> Aftermath:
    home = shared_scene.home
    with replicas_of(home) as replicas, shared_scene.load() as sender:
        second = replicas.started("predictor", "9")
        second.wait()
        home.client.call("POST", f"/v1/pipelines/{NAME}/retrain", json={"reason": "to be killed in the middle"})
        killed = _torment(shared_scene, second, random.Random(SEED))
    return Aftermath(shared_scene, sender, killed)


def _torment(scene: Scene, second: Replica, chance: random.Random) -> list[str]:
    """In each lap: kills every part once, and stops the second predictor for longer than its session."""
    killed: list[str] = []
    begun, clock = monotonic(), Event()
    for lap in laps(LAP_SECONDS):
        moments = sorted(chance.uniform(1, LAP_SECONDS - 4) for _ in PARTS)
        order = chance.sample(PARTS, len(PARTS))
        second.pause()
        stopped_at = monotonic()
        for moment, part in zip(moments, order, strict=True):
            clock.wait(max(0.0, begun + lap * LAP_SECONDS + moment - monotonic()))
            scene.home.stack.kill(part)
            killed.append(part)
        clock.wait(max(0.0, stopped_at + STOPPED_SECONDS - monotonic()))
        second.go_on()
        clock.wait(max(0.0, begun + (lap + 1) * LAP_SECONDS - monotonic()))
    return killed


def test_every_part_was_killed_and_the_client_felt_it(aftermath: Aftermath) -> None:
    assert Counter(aftermath.killed) == dict.fromkeys(PARTS, len(laps(LAP_SECONDS)))
    assert aftermath.sender.repeats > 0
    assert len(aftermath.sender.accepted) > 50 * LAP_SECONDS * len(laps(LAP_SECONDS))


def test_every_accepted_event_has_one_prediction_and_none_has_two(aftermath: Aftermath) -> None:
    assert aftermath.scene.predictions() == dict.fromkeys(aftermath.scene.accepted, 1)


def test_every_label_counts_once(aftermath: Aftermath) -> None:
    found = aftermath.scene.home.client.get(f"/v1/pipelines/{NAME}/metrics", limit=1)

    assert found["labelled_seen"] == len(set(aftermath.scene.labelled))
    assert found["rows_seen"] == len(set(aftermath.scene.accepted))


def test_the_ledger_is_whole(aftermath: Aftermath) -> None:
    done = aftermath.scene.home.cli("audit", "verify", "--json")

    assert done.returncode == 0, done.stderr


def test_every_promise_stands_as_the_topics_tell_it(aftermath: Aftermath) -> None:
    home = aftermath.scene.home

    def kept() -> bool:
        return home.cli("verify", "--grace", "0", seconds=300).returncode == 0

    assert wait_for(kept, 90, every=2), home.cli("verify", "--grace", "0", seconds=300).stdout


def test_one_version_is_live_and_no_number_was_given_to_two_models(aftermath: Aftermath) -> None:
    home = aftermath.scene.home

    def published() -> list[dict[str, Any]]:
        return committed(home.stack.urls["kafka"], home.full_name("model-published"))

    def agree() -> bool:
        """A training that was under way may still end between the two readings."""
        newest = [each["version"] for each in published() if each["stage"] == "champion"][-1]
        models = home.client.get(f"/v1/pipelines/{NAME}/models")
        champions = [model["version"] for model in models["models"] if model["stage"] == "champion"]
        return champions == [newest] and models["live"]["version"] == newest

    assert wait_for(agree, 20)
    artefacts: dict[str, set[str]] = {}
    for each in published():
        artefacts.setdefault(each["version"], set()).add(each["artifact"]["sha256"])
    assert all(len(found) == 1 for found in artefacts.values())


def test_every_part_runs_again(aftermath: Aftermath) -> None:
    def down() -> set[str]:
        status = aftermath.scene.home.stack.status
        return {part for part in PARTS if status[part].phase != "ready"}

    assert wait_for(lambda: not down(), 90), down()


def test_a_killed_kafka_comes_back_and_every_event_accepted_meanwhile_is_answered_once(scene: Scene) -> None:
    home = scene.home
    before = home.stack.status["kafka"].starts
    with scene.load():
        began = monotonic()
        home.stack.kill("kafka")
        scene.recovered("the only Kafka killed", began)

    assert home.stack.status["kafka"].starts == before + 1
    orders = home.client.get("/v1/commands", pipeline="_system")["commands"]
    assert [order for order in orders if order["arguments"].get("service") == "kafka"] == []
