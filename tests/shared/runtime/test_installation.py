from __future__ import annotations

from pathlib import Path

import pytest

from shared.runtime.installation import topic_specs
from shared.settings import CommonSettings


@pytest.mark.parametrize(("replication", "least"), [(1, "1"), (2, "1"), (3, "2")])
def test_a_record_stands_on_all_brokers_but_one_before_it_is_acknowledged(replication: int, least: str) -> None:
    specs = topic_specs(CommonSettings(bootstrap_servers="", data_dir=Path(), replication=replication))

    assert {spec.replication for spec in specs} == {replication}
    assert {spec.config["min.insync.replicas"] for spec in specs} == {least}


def test_the_time_of_a_heartbeat_is_the_brokers_and_not_that_of_who_beats() -> None:
    specs = topic_specs(CommonSettings(bootstrap_servers="", data_dir=Path()))

    assert [spec.name for spec in specs if spec.config.get("message.timestamp.type") == "LogAppendTime"] == [
        "telemetry"
    ]
