"""Kafka of three nodes, whose nodes die, stand still, and hand their partitions on, under load."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from threading import Event
from typing import Any

import pytest
from kafka import TopicPartition
from kafka.admin import KafkaAdminClient

from homeostat.local.waiting import wait_for
from shared.clock import monotonic
from tests.faults.scene import LONG, ON_A_STACK, Scene, laps
from tests.support.cluster import NODES, Cluster, running_cluster
from tests.support.stack import running_home

pytestmark = [*ON_A_STACK, LONG, pytest.mark.slow]

PAUSED_SECONDS = 15.0
"""Longer than a broker's session with its controller (9 s) and than a consumer's with its group (10 s)."""


@pytest.fixture(scope="module")
def cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cluster]:
    with running_cluster(tmp_path_factory.mktemp("cluster")) as started:
        yield started


@pytest.fixture(scope="module")
def scene_in_three(cluster: Cluster, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Scene]:
    where = {"KAFKA_BOOTSTRAP_SERVERS": cluster.bootstrap_servers, "HOMEOSTAT_REPLICATION": "3"}
    with running_home(tmp_path_factory.mktemp("three"), **where) as home:
        yield Scene.of(home)


@pytest.fixture
def scene(scene_in_three: Scene, record_property: Callable[[str, object], None]) -> Scene:
    scene_in_three.told = lambda line: record_property("recovery", line)
    return scene_in_three


def test_a_leader_that_is_killed_and_comes_back_costs_no_row(scene: Scene, cluster: Cluster) -> None:
    with scene.load():
        for lap in laps(60):
            leader = _leader(scene, cluster, "raw-data", lap % 4)
            began = monotonic()
            cluster.kill(leader)
            scene.recovered("a leader of three brokers killed", began)
            began = monotonic()
            cluster.bring_back(leader)
            scene.recovered("the killed broker back", began)
            assert wait_for(lambda: _in_sync(scene, cluster), 120, every=1)


def test_a_leader_that_stands_still_and_goes_on_is_believed_by_nobody(scene: Scene, cluster: Cluster) -> None:
    with scene.load():
        for lap in laps(60):
            began = monotonic()
            with cluster.paused(_leader(scene, cluster, "features", lap % 4)):
                scene.recovered("a leader of three brokers paused", began)
                Event().wait(max(0.0, PAUSED_SECONDS - (monotonic() - began)))
            began = monotonic()
            scene.recovered("the paused broker going on", began)
            assert wait_for(lambda: _in_sync(scene, cluster), 120, every=1)


def test_leaders_move_without_a_row_lost(scene: Scene, cluster: Cluster) -> None:
    with scene.load():
        for _ in laps(30):
            began = monotonic()
            before = _leaders(scene, cluster)
            _move_leaders(scene, cluster)
            after = _leaders(scene, cluster)
            assert sum(after[at] != leader for at, leader in before.items()) > len(before) // 2
            scene.recovered("every partition's leader moved to another broker", began)


def test_brokers_restarted_one_after_another_cost_no_row(scene: Scene, cluster: Cluster) -> None:
    with scene.load():
        for _ in laps(60):
            for node in NODES:
                began = monotonic()
                cluster.restart(node)
                scene.recovered(f"broker {node} of three restarted in order", began)
                assert wait_for(lambda: _in_sync(scene, cluster), 120, every=1)


def _leader(scene: Scene, cluster: Cluster, topic: str, partition: int) -> int:
    return _leaders(scene, cluster)[TopicPartition(scene.home.full_name(topic), partition)]


def _leaders(scene: Scene, cluster: Cluster) -> dict[TopicPartition, int]:
    return {at: found["leader_id"] for at, found in _partitions(scene, cluster).items()}


def _in_sync(scene: Scene, cluster: Cluster) -> bool:
    return all(len(found["isr_nodes"]) == len(NODES) for found in _partitions(scene, cluster).values())


def _move_leaders(scene: Scene, cluster: Cluster) -> None:
    """Makes the next broker of each partition the preferred one, and then the leader."""
    partitions = _partitions(scene, cluster)
    wanted = {at: [*found["replica_nodes"][1:], found["replica_nodes"][0]] for at, found in partitions.items()}
    with KafkaAdminClient(bootstrap_servers=cluster.bootstrap_servers) as admin:
        refused = [error for error in admin.alter_partition_reassignments(wanted).values() if error is not None]
        assert not refused, refused
        assert wait_for(lambda: not admin.list_partition_reassignments(), 60, every=0.5)
        admin.elect_leaders(0, raise_errors=False)


def _partitions(scene: Scene, cluster: Cluster) -> dict[TopicPartition, Any]:
    """Kafka's description of each partition of the system's topics and of its own."""
    with KafkaAdminClient(bootstrap_servers=cluster.bootstrap_servers) as admin:
        topics = admin.describe_topics()
    prefixes = (scene.home.full_name(""), "__")
    return {
        TopicPartition(topic["name"], each["partition_index"]): each
        for topic in topics
        if topic["name"].startswith(prefixes)
        for each in topic["partitions"]
    }
