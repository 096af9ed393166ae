"""What other clusters have left in the folder of data, and what of it may go."""

from __future__ import annotations

from pathlib import Path

import pytest

from shared.bus.memory import MemoryBus
from shared.topics import ALERTS
from tests.services.gateway.messages import alert
from tests.services.gateway.running import PREFIX, new_bus, running

CLUSTER, ANOTHER = "h9s3xW1xGBWoE1VdqhX6hQ", "h-HxbuAfKRyCfpVY5QLY--"


class Named(MemoryBus):
    """A log in memory that is called as Kafka calls a cluster."""

    def cluster_id(self, timeout: float) -> str:
        return CLUSTER


@pytest.mark.parametrize(
    ("left", "stays"),
    [
        (f"{ANOTHER}-{PREFIX}-gateway.snapshot", False),
        (f"{ANOTHER}-another.-gateway.snapshot", True),
        (f"{ANOTHER}-x-{PREFIX}-gateway.snapshot", True),
        (f"named-by-somebody-{PREFIX}-gateway.snapshot", True),
        (f"-{PREFIX}-gateway.snapshot", True),
        (f"{ANOTHER}-{PREFIX}-gateway.snapshot.kept", True),
        ("subscriptions.json", True),
    ],
)
def test_only_what_another_cluster_left_of_the_same_installation_goes(tmp_path: Path, left: str, stays: bool) -> None:
    path = tmp_path / "gateway" / left
    path.parent.mkdir()
    path.write_text("{}")

    with running(tmp_path, new_bus(tmp_path, Named)) as gateway:
        gateway.put(ALERTS, alert())

    assert path.exists() == stays
    assert (path.parent / f"{CLUSTER}-{PREFIX}-gateway.snapshot").exists()


def test_the_snapshot_in_use_stays_across_starts(tmp_path: Path) -> None:
    bus = new_bus(tmp_path, Named)
    with running(tmp_path, bus) as first:
        first.put(ALERTS, alert())

    with running(tmp_path, bus):
        found = [path.name for path in (tmp_path / "gateway").glob("*.snapshot")]

    assert found == [f"{CLUSTER}-{PREFIX}-gateway.snapshot"]


def test_beside_a_cluster_that_somebody_named_nothing_goes(tmp_path: Path) -> None:
    path = tmp_path / "gateway" / f"{ANOTHER}-{PREFIX}-gateway.snapshot"
    path.parent.mkdir()
    path.write_text("{}")

    with running(tmp_path):
        pass

    assert path.exists()
