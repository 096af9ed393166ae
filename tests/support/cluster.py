"""Kafka of three nodes on this machine, each broker and controller at once: any one of them may be away."""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from homeostat.local.guard import Guard
from homeostat.local.kafka import EmbeddedKafka, KafkaSettings
from homeostat.local.process import free_port
from homeostat.local.recorded import new_identity
from homeostat.local.waiting import wait_for

NODES = (1, 2, 3)
TOPICS_OF_ITS_OWN = ("offsets.topic", "transaction.state.log", "share.coordinator.state.topic")
IN_THREE = {f"{name}.replication.factor": "3" for name in ("default", *TOPICS_OF_ITS_OWN)}
ON_TWO = {"min.insync.replicas": "2", "transaction.state.log.min.isr": "2", "unclean.leader.election.enable": "false"}
PATIENT = {
    "broker.session.timeout.ms": "9000",
    "broker.heartbeat.interval.ms": "2000",
    "controller.quorum.fetch.timeout.ms": "5000",
}
"""Kafka's own patience and more: three nodes on a busy machine take each other for dead otherwise."""
START_SECONDS = 180.0


class Cluster:
    """Three nodes; what is written stands on two before it is acknowledged."""

    def __init__(self, folder: Path, guard: Guard) -> None:
        controllers = {node: free_port() for node in NODES}
        voters = ",".join(f"{node}@127.0.0.1:{port}" for node, port in controllers.items())
        identity = new_identity()
        self.nodes = {
            node: EmbeddedKafka(
                KafkaSettings(
                    data_dir=folder / f"kafka-{node}",
                    log=folder / f"kafka-{node}.log",
                    port=free_port(),
                    controller_port=controllers[node],
                    heap="256m",
                    cluster_id=identity,
                    start_seconds=START_SECONDS,
                    properties={"node.id": str(node), "controller.quorum.voters": voters} | IN_THREE | ON_TWO | PATIENT,
                ),
                guard,
            )
            for node in NODES
        }

    @property
    def bootstrap_servers(self) -> str:
        return ",".join(node.bootstrap_servers for node in self.nodes.values())

    def start(self) -> None:
        """Returns when all three answer."""
        for node in self.nodes.values():
            node.start()
        for node in self.nodes.values():
            node.wait()

    def kill(self, node: int) -> None:
        self.nodes[node].child.kill()

    def bring_back(self, node: int) -> None:
        """Starts a node again; returns when it answers."""
        assert wait_for(lambda: _started(self.nodes[node]), START_SECONDS, every=0.5)
        self.nodes[node].wait()

    def restart(self, node: int) -> None:
        """Ends a node in order and starts it again."""
        self.nodes[node].stop()
        self.bring_back(node)

    @contextmanager
    def paused(self, node: int) -> Iterator[None]:
        """The node stands still inside, its connections open."""
        pid = self.nodes[node].child.pid
        assert pid is not None
        os.kill(pid, signal.SIGSTOP)
        try:
            yield
        finally:
            os.kill(pid, signal.SIGCONT)

    def stop(self) -> None:
        for node in self.nodes.values():
            node.child.terminate()
        for node in self.nodes.values():
            node.stop()


def _started(node: EmbeddedKafka) -> bool:
    """A node's own listener may be in use for a moment after its death, by connections that end."""
    from homeostat.local.errors import PortInUse

    try:
        node.start()
    except PortInUse:
        return False
    return True


@contextmanager
def running_cluster(folder: Path) -> Iterator[Cluster]:
    """Three nodes that answer; afterwards nothing of them runs."""
    guard = Guard()
    cluster = Cluster(folder, guard)
    try:
        cluster.start()
        yield cluster
    finally:
        cluster.stop()
        guard.close()
